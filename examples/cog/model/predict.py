"""A curved screen that shows the image, as binary glTF. It needs nothing but Python."""

import json
import math
import struct
import tempfile

from cog import BaseRunner, Path

# The screen's width and its columns of faces.
WIDTH, COLUMNS = 2.0, 24
FLOAT, UNSIGNED_SHORT = 5126, 5123
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963


def kind_and_shape(image):
    """The image's media type, and its height for a width of 1."""
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", image[16:24])
        return "image/png", height / width
    if image.startswith(b"\xff\xd8"):
        at = 2
        while at + 9 <= len(image):
            marker, length = struct.unpack(">HH", image[at : at + 4])
            if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
                height, width = struct.unpack(">HH", image[at + 5 : at + 9])
                return "image/jpeg", height / width
            at += 2 + length
    if image[8:12] == b"WEBP":
        width, height = webp_size(image[12:16], image[20:])
        return "image/webp", height / width
    raise ValueError("neither a PNG, nor a JPEG, nor a WebP")


def webp_size(chunk, content):
    if chunk == b"VP8X":
        return 1 + int.from_bytes(content[4:7], "little"), 1 + int.from_bytes(content[7:10], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(content[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", content[6:10])
    return width & 0x3FFF, height & 0x3FFF


def screen(height):
    """The positions and texture coordinates of a grid of two rows, bent to a part of a cylinder, and its triangles."""
    positions, coordinates, triangles = [], [], []
    for column in range(COLUMNS + 1):
        part = column / COLUMNS
        angle = (part - 0.5) * math.pi / 3
        for row in (0, 1):
            radius = WIDTH / (math.pi / 3)
            positions.append((radius * math.sin(angle), (0.5 - row) * WIDTH * height, radius * (1 - math.cos(angle))))
            coordinates.append((part, row))
        if column < COLUMNS:
            top = 2 * column
            triangles += [top, top + 1, top + 2, top + 2, top + 1, top + 3]
    return positions, coordinates, triangles


def glb(image):
    """A binary glTF of one mesh, whose texture is the image as it came."""
    media_type, height = kind_and_shape(image)
    positions, coordinates, triangles = screen(height)
    parts = [
        struct.pack(f"<{3 * len(positions)}f", *(value for position in positions for value in position)),
        struct.pack(f"<{2 * len(coordinates)}f", *(value for pair in coordinates for value in pair)),
        struct.pack(f"<{len(triangles)}H", *triangles),
        image,
    ]
    views, binary = [], b""
    for part, target in zip(parts, [ARRAY_BUFFER, ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, None]):
        view = {"buffer": 0, "byteOffset": len(binary), "byteLength": len(part)}
        views.append(view | ({"target": target} if target else {}))
        binary += part + bytes(-len(part) % 4)
    # Bounds must be those of the numbers as they are stored.
    stored = list(struct.iter_unpack("<3f", parts[0]))
    bounds = {"min": [min(axis) for axis in zip(*stored)], "max": [max(axis) for axis in zip(*stored)]}
    accessors = [
        {"bufferView": 0, "componentType": FLOAT, "count": len(positions), "type": "VEC3", **bounds},
        {"bufferView": 1, "componentType": FLOAT, "count": len(coordinates), "type": "VEC2"},
        {"bufferView": 2, "componentType": UNSIGNED_SHORT, "count": len(triangles), "type": "SCALAR"},
    ]
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0}, "doubleSided": True}
    texture, extensions = {"source": 0}, {}
    if media_type == "image/webp":
        # Plain glTF knows PNG and JPEG.
        texture = {"extensions": {"EXT_texture_webp": texture}}
        extensions = {key: ["EXT_texture_webp"] for key in ("extensionsUsed", "extensionsRequired")}
    document = {
        "asset": {"version": "2.0", "generator": "satforge's example"},
        **extensions,
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}]},
        ],
        "materials": [material],
        "textures": [texture],
        "images": [{"bufferView": 3, "mimeType": media_type}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


class Runner(BaseRunner):
    def setup(self):
        # One prediction runs at a time, so one file is enough.
        self.model = Path(tempfile.mkdtemp()) / "model.glb"

    def run(self, image: Path) -> Path:
        self.model.write_bytes(glb(image.read_bytes()))
        return self.model
