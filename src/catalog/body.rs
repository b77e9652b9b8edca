//! A JSON body as a flat list of fields, and everything that is wrong with it.
//!
//! serde's derive would stop at the first problem and keep the last of two equal keys. Callers are told every problem
//! at once, so the fields are read first and judged afterwards.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{Deserialize, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// More problems than this are not listed: nobody reads them, and a body could hold thousands.
const MAX_PROBLEMS: usize = 32;
/// More fields than this are read over: any service takes fewer, so the body is refused for those before them.
const MAX_FIELDS: usize = 64;
/// Field names are repeated to the caller up to this many characters.
const MAX_NAME_CHARS: usize = 64;

/// One thing that is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// RFC 6901 pointer, without `#`.
    pub pointer: String,
    /// One sentence for the caller.
    pub detail: String,
}

/// A body that cannot be sold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON in UTF-8.
    #[error("not JSON: {0}")]
    Malformed(String),
    /// JSON, but no request that can be run.
    #[error("{} problem(s)", .0.len())]
    Invalid(Vec<Problem>),
}

/// The value of a field, as far as any parameter needs it.
#[derive(Debug)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number written without fraction and exponent, if it fits.
    Integer(i64),
    /// Any other number.
    Number,
    /// A string.
    Text(Cow<'a, str>),
    /// An array or an object.
    Nested,
}

/// The fields of a body, and the problems found so far.
#[derive(Debug)]
pub struct Fields<'a> {
    fields: Vec<(Cow<'a, str>, Value<'a>)>,
    problems: Vec<Problem>,
}

impl BodyError {
    /// The price of the request exceeds all bitcoin: a configuration that `check` refuses cannot get here.
    #[must_use]
    pub fn unpriceable() -> Self {
        Self::Invalid(vec![Problem { pointer: String::new(), detail: "this request cannot be priced".into() }])
    }
}

impl<'a> Fields<'a> {
    /// Reads an object; `known` are the parameters of the service.
    pub fn read(body: &'a [u8], known: &[&str]) -> Result<Self, BodyError> {
        let top: Top<'a> = serde_json::from_slice(body).map_err(|error| BodyError::Malformed(error.to_string()))?;
        let Top::Object(all) = top else {
            let detail = "the body must be a JSON object".into();
            return Err(BodyError::Invalid(vec![Problem { pointer: String::new(), detail }]));
        };
        let mut fields = Self { fields: Vec::with_capacity(all.len().min(8)), problems: Vec::new() };
        for (name, value) in all {
            if !known.contains(&&*name) {
                let names = known.join(", ");
                fields.refuse(&name, &format!("unknown field; this service takes {names}"));
            } else if fields.fields.iter().any(|(other, _)| *other == name) {
                fields.refuse(&name, "the field is given twice");
            } else {
                fields.fields.push((name, value));
            }
        }
        Ok(fields)
    }

    /// Takes a field's value out. `null` is refused here, for every field alike.
    pub fn take(&mut self, name: &str) -> Option<Value<'a>> {
        let at = self.fields.iter().position(|(field, _)| field == name)?;
        match self.fields.swap_remove(at).1 {
            Value::Null => {
                self.refuse(name, "null is not a value; leave the field out to get its default");
                None
            }
            value => Some(value),
        }
    }

    /// Takes a string that must be there.
    pub fn take_required_text(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let problems = self.problems.len();
        match self.take(name) {
            Some(Value::Text(text)) => return Some(text),
            Some(_) => self.refuse(name, "must be a string"),
            None if self.problems.len() == problems => self.refuse(name, "required, but missing"),
            None => {}
        }
        None
    }

    /// Whether a field is there and was not taken yet.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    /// Notes a problem with a field.
    pub fn refuse(&mut self, name: &str, detail: &str) {
        if self.problems.len() < MAX_PROBLEMS {
            let pointer = format!("/{}", escape(name));
            self.problems.push(Problem { pointer, detail: detail.to_owned() });
        }
    }

    /// Everything that was found wrong, or nothing.
    pub fn finish(self) -> Result<(), BodyError> {
        if self.problems.is_empty() { Ok(()) } else { Err(BodyError::Invalid(self.problems)) }
    }
}

fn escape(name: &str) -> String {
    let shown: String = name.chars().take(MAX_NAME_CHARS).collect();
    shown.replace('~', "~0").replace('/', "~1")
}

enum Top<'a> {
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
    Other,
}

struct Name<'a>(Cow<'a, str>);
struct TopVisitor;
struct ValueVisitor;
struct NameVisitor;

impl<'de> Deserialize<'de> for Top<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TopVisitor)
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

impl<'de> Visitor<'de> for TopVisitor {
    type Value = Top<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Top<'de>, A::Error> {
        let mut fields = Vec::with_capacity(4);
        while let Some((Name(name), value)) = map.next_entry()? {
            // Beyond that many, only the count of problems would grow.
            if fields.len() < MAX_FIELDS {
                fields.push((name, value));
            }
        }
        Ok(Top::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Top<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Top::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Top<'de>, E> {
        Ok(Top::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Top<'de>, E> {
        Ok(Top::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Top<'de>, E> {
        Ok(Top::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Top<'de>, E> {
        Ok(Top::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Top<'de>, E> {
        Ok(Top::Other)
    }

    fn visit_unit<E>(self) -> Result<Top<'de>, E> {
        Ok(Top::Other)
    }
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Nested)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Nested)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(i64::try_from(value).map_or(Value::Number, Value::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }
}

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(text.to_owned())))
    }
}
