//! Numbers in as few bytes as they need (LEB128), and bytes with a checksum: SQLite notices a page that is not one, but not that
//! something in it is another than was written.

use super::trouble::Trouble;

/// Bytes of a checksum.
pub(super) const SUM: usize = 4;

/// What a checksum is for: a row that is found in another table is damage as well.
#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    Loose = 1,
    Blocks,
    Chapters,
    Recent,
    Spans,
    Held,
    Classes,
    State,
}

/// Adds a number.
pub(super) fn put(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Adds a number with a sign; one near zero is short.
pub(super) fn put_signed(to: &mut Vec<u8>, number: i64) {
    put(to, ((number << 1) ^ (number >> 63)) as u64);
}

/// Numbers that were put one behind the other.
pub(super) struct Unpacking<'a>(pub(super) &'a [u8]);

impl<'a> Unpacking<'a> {
    /// The next number.
    pub(super) fn number(&mut self) -> Result<u64, Trouble> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(Trouble::Damaged)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Trouble::Damaged)
    }

    /// The next number, which has a sign.
    pub(super) fn signed(&mut self) -> Result<i64, Trouble> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// The next number as one of bytes or of things.
    pub(super) fn size(&mut self) -> Result<usize, Trouble> {
        usize::try_from(self.number()?).map_err(|_| Trouble::Damaged)
    }
}

/// The checksum of bytes that belong to a row with this key: one that is found elsewhere is damage as well.
pub(super) fn sum(table: Table, key: &[i64], bytes: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&[table as u8]);
    key.iter().for_each(|part| sum.update(&part.to_le_bytes()));
    sum.update(bytes);
    sum.finalize()
}

/// Puts the checksum behind the bytes.
pub(super) fn close(table: Table, key: &[i64], bytes: &mut Vec<u8>) {
    let sum = sum(table, key, bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
}

/// The bytes before the checksum, if that is right.
pub(super) fn open<'a>(table: Table, key: &[i64], bytes: &'a [u8]) -> Result<&'a [u8], Trouble> {
    let (bytes, told) = bytes.split_last_chunk::<SUM>().ok_or(Trouble::Damaged)?;
    if u32::from_le_bytes(*told) == sum(table, key, bytes) { Ok(bytes) } else { Err(Trouble::Damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let all = [0, 1, 127, 128, 1 << 20, u64::MAX, u64::MAX >> 1];
        let mut bytes = Vec::new();
        for number in all {
            put(&mut bytes, number);
            put_signed(&mut bytes, number as i64);
        }
        close(Table::Held, &[7, -1], &mut bytes);
        assert!(open(Table::Held, &[7, 1], &bytes).is_err() && open(Table::Recent, &[7, -1], &bytes).is_err());
        assert!(open(Table::Held, &[7, -1], &bytes[1..]).is_err() && open(Table::Held, &[], &[]).is_err());
        let mut packed = Unpacking(open(Table::Held, &[7, -1], &bytes).unwrap_or_default());
        for number in all {
            assert!(packed.number().is_ok_and(|found| found == number));
            assert!(packed.signed().is_ok_and(|found| found == number as i64));
        }
        assert!(packed.number().is_err(), "there is no more");
        assert!(Unpacking(&[0xff; 20]).number().is_err(), "and none is endless");
    }
}
