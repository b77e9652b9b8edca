//! The GLB container: one JSON chunk that describes, one binary chunk that holds.

use serde_json::{Value, json};

use super::MediaError;
use super::mesh::Relief;
use super::picture::PLASTER;
use super::surface::Surface;

const ARRAY_BUFFER: u32 = 34_962;
const ELEMENT_ARRAY_BUFFER: u32 = 34_963;
const FLOAT: u32 = 5_126;
const UNSIGNED_SHORT: u32 = 5_123;
const LINEAR: u32 = 9_729;
const LINEAR_MIPMAP_LINEAR: u32 = 9_987;
const CLAMP_TO_EDGE: u32 = 33_071;

/// Writes a relief with its texture, a JPEG file, as binary glTF 2.0.
///
/// # Errors
///
/// [`MediaError::TooLarge`] if a length does not fit 32 bits.
pub fn write(relief: &Relief, texture: &[u8]) -> Result<Vec<u8>, MediaError> {
    let mut chunk = Chunk::default();
    let face = chunk.primitive(&relief.face, 0);
    let body = chunk.primitive(&relief.body, 1);
    let texture = chunk.view(texture.iter().copied(), None);
    let document = json!({
        "asset": {"version": "2.0", "generator": "satforge sandbox"},
        "scene": 0,
        "scenes": [{"name": "Relief", "nodes": [0]}],
        "nodes": [{"name": "Relief", "mesh": 0}],
        "meshes": [{"name": "Relief", "primitives": [face, body]}],
        "materials": [
            {"name": "Face", "pbrMetallicRoughness": {
                "baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 0.8}},
            {"name": "Plaster", "pbrMetallicRoughness": {
                "baseColorFactor": linear(PLASTER), "metallicFactor": 0.0, "roughnessFactor": 0.9}},
        ],
        "textures": [{"sampler": 0, "source": 0}],
        "images": [{"name": "Picture", "bufferView": texture, "mimeType": "image/jpeg"}],
        "samplers": [{
            "magFilter": LINEAR, "minFilter": LINEAR_MIPMAP_LINEAR, "wrapS": CLAMP_TO_EDGE, "wrapT": CLAMP_TO_EDGE}],
        "accessors": chunk.accessors,
        "bufferViews": chunk.views,
        "buffers": [{"byteLength": chunk.bytes.len()}],
    });
    container(document.to_string().into_bytes(), chunk.bytes)
}

/// The binary chunk and what describes it.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    views: Vec<Value>,
    accessors: Vec<Value>,
}

impl Chunk {
    fn primitive(&mut self, surface: &Surface, material: u32) -> Value {
        let (min, max) = surface.bounds();
        let mut position = self.floats(&surface.positions, "VEC3");
        position["min"] = json!(min);
        position["max"] = json!(max);
        let normal = self.floats(&surface.normals, "VEC3");
        let mut attributes = json!({"POSITION": self.accessor(position), "NORMAL": self.accessor(normal)});
        if !surface.texture.is_empty() {
            let texture = self.floats(&surface.texture, "VEC2");
            attributes["TEXCOORD_0"] = json!(self.accessor(texture));
        }
        let indices = surface.indices.iter().flat_map(|index| index.to_le_bytes());
        let view = self.view(indices, Some(ELEMENT_ARRAY_BUFFER));
        let indices = self.accessor(json!({
            "bufferView": view, "componentType": UNSIGNED_SHORT, "count": surface.indices.len(), "type": "SCALAR"}));
        json!({"attributes": attributes, "indices": indices, "material": material})
    }

    /// Lays down vectors of numbers and describes them; the caller may add to the description.
    fn floats<const N: usize>(&mut self, vectors: &[[f32; N]], kind: &str) -> Value {
        let bytes = vectors.iter().flatten().flat_map(|number| number.to_le_bytes());
        let view = self.view(bytes, Some(ARRAY_BUFFER));
        json!({"bufferView": view, "componentType": FLOAT, "count": vectors.len(), "type": kind})
    }

    fn accessor(&mut self, accessor: Value) -> usize {
        self.accessors.push(accessor);
        self.accessors.len() - 1
    }

    /// Lays down bytes at the next multiple of four, as accessors must be aligned to their numbers.
    fn view(&mut self, bytes: impl Iterator<Item = u8>, target: Option<u32>) -> usize {
        pad(&mut self.bytes, 0);
        let offset = self.bytes.len();
        self.bytes.extend(bytes);
        let mut view = json!({"buffer": 0, "byteOffset": offset, "byteLength": self.bytes.len() - offset});
        if let Some(target) = target {
            view["target"] = json!(target);
        }
        self.views.push(view);
        self.views.len() - 1
    }
}

fn container(mut json: Vec<u8>, mut binary: Vec<u8>) -> Result<Vec<u8>, MediaError> {
    pad(&mut json, b' ');
    pad(&mut binary, 0);
    let length = |bytes: usize| u32::try_from(bytes).map_err(|_| MediaError::TooLarge);
    let total = 12 + 8 + json.len() + 8 + binary.len();
    let mut file = Vec::with_capacity(total);
    file.extend(b"glTF");
    file.extend(2_u32.to_le_bytes());
    file.extend(length(total)?.to_le_bytes());
    for (kind, chunk) in [(b"JSON", json), (b"BIN\0", binary)] {
        file.extend(length(chunk.len())?.to_le_bytes());
        file.extend(kind);
        file.extend(chunk);
    }
    Ok(file)
}

/// Fills up to a multiple of four bytes.
fn pad(bytes: &mut Vec<u8>, with: u8) {
    bytes.resize(bytes.len().next_multiple_of(4), with);
}

/// An opaque sRGB colour as glTF's linear one.
fn linear(colour: [u8; 3]) -> [f32; 4] {
    let [red, green, blue] = colour.map(|value| ((f32::from(value) / 255.0 + 0.055) / 1.055).powf(2.4));
    [red, green, blue, 1.0]
}
