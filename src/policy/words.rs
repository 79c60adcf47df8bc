//! The words of the policy language: one table for each kind, read by the parser and printed by
//! explanations, and sets of such words in one octet.

use std::marker::PhantomData;

use crate::model::Credential;
use crate::model::Established;
use crate::model::Join;
use crate::model::Medium;
use crate::model::Ownership;
use crate::model::Plane;
use crate::model::Platform;
use crate::model::Verdict;

/// A value that a policy names by a fixed word. At most eight values, so that a set is an octet.
pub(super) trait Word: Copy + PartialEq + 'static {
    /// Every value with its spelling.
    const WORDS: &'static [(&'static str, Self)];

    /// A different single bit for each value.
    fn bit(self) -> u8;

    /// The spelling in policies.
    fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, value)| *value == self)
            .map_or("", |(word, _)| word)
    }
}

macro_rules! words {
    ($kind:ty { $($variant:ident = $word:literal @ $bit:literal),+ $(,)? }) => {
        impl Word for $kind {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];

            fn bit(self) -> u8 {
                match self {
                    $(Self::$variant => 1 << $bit),+
                }
            }
        }
    };
}

words!(Plane { Network = "network" @ 0, Mail = "mail" @ 1, Web = "web" @ 2 });
words!(Verdict { Allow = "allow" @ 0, Quarantine = "quarantine" @ 1, Block = "block" @ 2 });
words!(Medium { Unknown = "unknown" @ 0, Wired = "wired" @ 1, Wireless = "wireless" @ 2, Vpn = "vpn" @ 3 });
words!(Established { None = "none" @ 0, Claimed = "claimed" @ 1, Proven = "proven" @ 2 });
words!(Credential { None = "none" @ 0, Password = "password" @ 1, Certificate = "certificate" @ 2 });
words!(Ownership { Unknown = "unknown" @ 0, Company = "company" @ 1, Personal = "personal" @ 2 });
words!(Join {
    Unknown = "unknown" @ 0,
    None = "none" @ 1,
    Registered = "registered" @ 2,
    Entra = "entra" @ 3,
    Hybrid = "hybrid" @ 4,
    ActiveDirectory = "ad" @ 5,
});
words!(Platform {
    Unknown = "unknown" @ 0,
    Android = "android" @ 1,
    Ios = "ios" @ 2,
    MacOs = "macos" @ 3,
    Windows = "windows" @ 4,
    WindowsPhone = "windows-phone" @ 5,
    Linux = "linux" @ 6,
    ChromeOs = "chromeos" @ 7,
});

/// Some of the values of a kind.
#[derive(Debug)]
pub(super) struct Set<T> {
    bits: u8,
    kind: PhantomData<T>,
}

impl<T> Clone for Set<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Set<T> {}

/// The empty set.
impl<T> Default for Set<T> {
    fn default() -> Self {
        Self {
            bits: 0,
            kind: PhantomData,
        }
    }
}

impl<T> PartialEq for Set<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}

impl<T> Eq for Set<T> {}

impl<T: Word> Set<T> {
    /// Every value.
    pub(super) fn all() -> Self {
        T::WORDS.iter().map(|&(_, value)| value).collect()
    }

    pub(super) fn contains(self, value: T) -> bool {
        self.bits & value.bit() != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// The values, in the order of the words.
    pub(super) fn iter(self) -> impl Iterator<Item = T> {
        let values = T::WORDS.iter().map(|&(_, value)| value);
        values.filter(move |value| self.contains(*value))
    }

    pub(super) const fn intersection(self, other: Self) -> Self {
        Self::from_bits(self.bits & other.bits)
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self::from_bits(self.bits | other.bits)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self::from_bits(self.bits & !other.bits)
    }

    /// Whether this holds every value that `other` holds.
    pub(super) const fn covers(self, other: Self) -> bool {
        other.bits & !self.bits == 0
    }

    /// The words of the set, in the order of the table: `ios or android`.
    pub(super) fn text(self) -> String {
        either(
            T::WORDS
                .iter()
                .filter(|(_, value)| self.contains(*value))
                .map(|(word, _)| *word),
        )
    }

    const fn from_bits(bits: u8) -> Self {
        Self {
            bits,
            kind: PhantomData,
        }
    }
}

impl<T: Word> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::from_bits(values.into_iter().fold(0, |bits, value| bits | value.bit()))
    }
}

/// `a, b or c`; `nothing` for an empty list.
pub(super) fn either<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits_are_distinct<T: Word>() {
        let union = Set::<T>::all();
        assert_eq!(union.bits.count_ones() as usize, T::WORDS.len());
        for (word, value) in T::WORDS {
            assert_eq!(value.word(), *word);
        }
    }

    #[test]
    fn every_word_has_a_bit_of_its_own() {
        bits_are_distinct::<Plane>();
        bits_are_distinct::<Verdict>();
        bits_are_distinct::<Medium>();
        bits_are_distinct::<Established>();
        bits_are_distinct::<Credential>();
        bits_are_distinct::<Ownership>();
        bits_are_distinct::<Join>();
        bits_are_distinct::<Platform>();
    }

    #[test]
    fn words_are_those_that_records_print() {
        for platform in Platform::ALL {
            assert_eq!(platform.word(), platform.as_str());
        }
        for join in Join::ALL {
            assert_eq!(join.word(), join.as_str());
        }
        for ownership in Ownership::ALL {
            assert_eq!(ownership.word(), ownership.as_str());
        }
        for (word, plane) in Plane::WORDS {
            assert_eq!(plane.to_string(), *word);
        }
    }

    #[test]
    fn lists_read_as_a_sentence() {
        assert_eq!(either([].into_iter()), "nothing");
        assert_eq!(either(["a"].into_iter()), "a");
        assert_eq!(either(["a", "b", "c"].into_iter()), "a, b or c");
    }
}
