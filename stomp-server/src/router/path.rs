//! The words in a destination's open places, as values.

use std::fmt::Display;

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, IntoDeserializer, Visitor,
        value::{Error, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{
    extract::{FromRequest, Request},
    template::Params,
};
use crate::problem::{Code, Problem};

/// What stands in the open places of a route: one value, a tuple in their order, or a struct
/// with their names.
///
/// ```
/// use stomp_server::router::{Path, Routes};
///
/// let routes = Routes::new()
///     .send("/app/rooms.{id}.send", async |Path(id): Path<u64>| println!("to {id}"))
///     .send("/app/{a}/{b}", async |Path((a, b)): Path<(String, u8)>| println!("{a} {b}"));
/// ```
#[derive(Clone, Debug)]
pub struct Path<T>(pub T);

impl<S, T: DeserializeOwned> FromRequest<S> for Path<T> {
    fn from_request(request: &Request, _state: &S) -> Result<Self, Problem> {
        T::deserialize(Words(request.params())).map(Self).map_err(|error| {
            // A word of another form names nothing that there could be.
            Problem::new(Code::NotFound, format!("There is no such destination: {error}."))
        })
    }
}

/// All words of a destination.
struct Words<'de>(&'de Params);

/// One of them.
#[derive(Clone, Copy)]
struct Word<'de>(&'de str);

impl<'de> Words<'de> {
    fn only(&self) -> Result<Word<'de>, Error> {
        match self.0.values() {
            [word] => Ok(Word(word)),
            words => Err(serde::de::Error::custom(format!("{} words, not one", words.len()))),
        }
    }
}

macro_rules! by_the_only_word {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.only()?.$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Words<'de> {
    type Error = Error;

    by_the_only_word! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_option deserialize_identifier
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let words = self.0.values().iter().map(|word| Word(word));
        visitor.visit_seq(SeqDeserializer::new(words))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let pairs = self.0.pairs().map(|(name, value)| (Word(name), Word(value)));
        visitor.visit_map(MapDeserializer::new(pairs))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! { i128 u128 bytes byte_buf unit unit_struct ignored_any }
}

macro_rules! parsed {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.0.parse().map_err(|error| self.is_no(&error))?)
        }
    )*};
}

impl Word<'_> {
    fn is_no(self, error: &dyn Display) -> Error {
        serde::de::Error::custom(format!("{:?}: {error}", self.0))
    }
}

impl<'de> Deserializer<'de> for Word<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }

    parsed! {
        deserialize_bool visit_bool
        deserialize_i8 visit_i8
        deserialize_i16 visit_i16
        deserialize_i32 visit_i32
        deserialize_i64 visit_i64
        deserialize_u8 visit_u8
        deserialize_u16 visit_u16
        deserialize_u32 visit_u32
        deserialize_u64 visit_u64
        deserialize_f32 visit_f32
        deserialize_f64 visit_f64
        deserialize_char visit_char
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        i128 u128 str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Word<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    use crate::router::template::Template;

    fn read<T: DeserializeOwned>(template: &str, destination: &str) -> Result<T, Error> {
        let params = Template::parse(template, '.').unwrap().matches(destination, '.').unwrap();
        T::deserialize(Words(&params))
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Place {
        room: Room,
        seat: u8,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Room(String);

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Public,
    }

    #[test]
    fn one_word_several_and_named_ones_become_values() {
        assert_eq!(read("/app/{id}", "/app/7"), Ok(7_u64));
        assert_eq!(read("/app/{id}", "/app/7"), Ok("7".to_owned()));
        assert_eq!(read("/app/{id}", "/app/blue"), Ok(Room("blue".to_owned())));
        assert_eq!(read("/app/{kind}", "/app/public"), Ok(Kind::Public));
        assert_eq!(read("/app/{a}.{b}", "/app/x.7"), Ok(("x".to_owned(), 7_u8)));
        let place = Place { room: Room("blue".to_owned()), seat: 3 };
        assert_eq!(read("/app/{seat}/{room}", "/app/3/blue"), Ok(place));
    }

    #[test]
    fn words_of_another_form_are_refused() {
        assert!(read::<u8>("/app/{id}", "/app/256").is_err());
        assert!(read::<u64>("/app/{a}.{b}", "/app/1.2").is_err());
        assert!(read::<(String, u8)>("/app/{a}.{b}", "/app/x.y").is_err());
        assert!(read::<Kind>("/app/{kind}", "/app/private").is_err());
        assert!(read::<Place>("/app/{seat}", "/app/3").is_err());
    }
}
