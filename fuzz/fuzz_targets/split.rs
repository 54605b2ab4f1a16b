//! The same octets in other pieces: the same frames, the same fault, the same receipt.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((how, stream)) = fuzz::how(input) else { return };
    let whole = fuzz::read([stream], how);
    assert_eq!(fuzz::read(stream.chunks(1), how), whole);
    assert_eq!(fuzz::read(stream.chunks(how.seed + 2), how), whole);
    let (before, behind) = stream.split_at(stream.len() * how.seed / 32);
    assert_eq!(fuzz::read([before, behind], how), whole);
});
