//! The output of a prediction as it stands in a webhook, with its files apart from the rest.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A JSON value whose texts are borrowed from the body where they can be: a file in a data URI is large, and a body is
/// in memory once already.
#[derive(Debug)]
pub(super) enum Output<'a> {
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
    Other(Value),
}

/// A file of an output.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Embedded<'a> {
    /// Where it stands, as a JSON pointer.
    pub pointer: String,
    /// Its content in base64.
    pub base64: Cow<'a, str>,
}

impl<'a> Output<'a> {
    /// The output with `null` in the place of each data URI, and what stood there.
    pub(super) fn split(self) -> (Value, Vec<Embedded<'a>>) {
        let mut files = Vec::new();
        let value = self.without_files(String::new(), &mut files);
        (value, files)
    }

    fn without_files(self, pointer: String, files: &mut Vec<Embedded<'a>>) -> Value {
        match self {
            Self::Text(text) => match content(text) {
                Ok(base64) => {
                    files.push(Embedded { pointer, base64 });
                    Value::Null
                }
                Err(text) => Value::String(text.into_owned()),
            },
            Self::List(values) => {
                let values = values.into_iter().enumerate();
                values.map(|(index, value)| value.without_files(format!("{pointer}/{index}"), files)).collect()
            }
            Self::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| {
                    let token = name.replace('~', "~0").replace('/', "~1");
                    (name, value.without_files(format!("{pointer}/{token}"), files))
                });
                Value::Object(fields.collect())
            }
            Self::Other(value) => value,
        }
    }
}

/// The base64 of a data URI; any other text comes back as it is.
fn content(text: Cow<'_, str>) -> Result<Cow<'_, str>, Cow<'_, str>> {
    let comma = text.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:")).and_then(|_| text.find(','));
    let Some(comma) = comma.filter(|comma| text[..*comma].ends_with(";base64")) else { return Err(text) };
    Ok(match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[comma + 1..]),
        Cow::Owned(mut text) => Cow::Owned(text.split_off(comma + 1)),
    })
}

impl<'de: 'a, 'a> Deserialize<'de> for Output<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OutputVisitor)
    }
}

struct OutputVisitor;

impl<'de> Visitor<'de> for OutputVisitor {
    type Value = Output<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Output::Other(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Output::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Output::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Output::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Output::Other(value.into()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Output::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Output::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Output::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Output::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn split(json: &str) -> (Value, Vec<(String, String, bool)>) {
        let (value, files) = serde_json::from_str::<Output<'_>>(json).unwrap().split();
        let file =
            |file: Embedded<'_>| (file.pointer, file.base64.to_string(), matches!(file.base64, Cow::Borrowed(_)));
        (value, files.into_iter().map(file).collect())
    }

    #[test]
    fn a_file_is_found_wherever_it_stands_and_is_not_copied() {
        let (value, files) = split(r#""data:video/mp4;base64,QUJD""#);
        assert_eq!(value, Value::Null);
        assert_eq!(files, [(String::new(), "QUJD".to_owned(), true)]);
        let (value, files) = split(
            r#"{"a/b":[1,-2.5,null,true,"data:model/gltf-binary;name=x;base64,QQ=="],"c~":"DATA:;base64,","d":"text"}"#,
        );
        assert_eq!(value, json!({"a/b": [1, -2.5, null, true, null], "c~": null, "d": "text"}));
        assert_eq!(files[0], ("/a~1b/4".to_owned(), "QQ==".to_owned(), true));
        assert_eq!(files[1], ("/c~0".to_owned(), String::new(), true));
        assert_eq!(files.len(), 2);
    }

    #[test]
    fn a_text_with_escapes_is_read_too() {
        let (value, files) = split(r#"["data:video\/mp4;base64,QUJD","a\nb"]"#);
        assert_eq!(value, json!([null, "a\nb"]));
        assert_eq!(files, [("/0".to_owned(), "QUJD".to_owned(), false)]);
    }

    #[test]
    fn other_texts_stay() {
        for text in ["https://files.example/a.mp4", "data:", "data:video/mp4,raw", "dat", "día:,;base64,"] {
            let (value, files) = split(&json!(text).to_string());
            assert_eq!((value, files), (json!(text), vec![]), "{text}");
        }
    }
}
