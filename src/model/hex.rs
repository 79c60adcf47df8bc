//! Hexadecimal digits for what is written down of each decision, without the machinery of
//! formatting.

/// The eight digits of a number, in lower case.
///
/// All at once: the digits are moved apart until each has an octet of its own; then those above 9
/// are brought from behind `9` to `a`.
#[must_use]
pub const fn hex(number: u32) -> [u8; 8] {
    let number = number as u64;
    let halves = (number | number << 16) & 0x0000_ffff_0000_ffff;
    let octets = (halves | halves << 8) & 0x00ff_00ff_00ff_00ff;
    let digits = (octets | octets << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // Adding 6 carries into the fifth bit of digits above 9, and of no others.
    let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    let behind = (b'a' - b'9' - 1) as u64;
    (digits + 0x3030_3030_3030_3030 + letters * behind).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_formatting() {
        let mut number: u32 = 0x0123_4567;
        for row in 0..1000 {
            assert_eq!(hex(number), format!("{number:08x}").as_bytes(), "row {row}");
            number = number.wrapping_mul(0x9e37_79b1).rotate_left(7);
        }
        for number in [0, 9, 10, 0x89ab_cdef, u32::MAX] {
            assert_eq!(hex(number), format!("{number:08x}").as_bytes());
        }
    }
}
