//! Streams of frames, and what accidents and enemies make of them.

/// A small generator of numbers that any seed repeats (xorshift).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// One to four frames, in three of four cases damaged.
pub(crate) fn stream(numbers: &mut Numbers) -> Vec<u8> {
    let mut stream = vec![];
    for _ in 0..=numbers.below(4) {
        frame(numbers, &mut stream);
    }
    if numbers.below(4) > 0 {
        for _ in 0..=numbers.below(3) {
            damage(numbers, &mut stream);
        }
    }
    stream
}

fn frame(numbers: &mut Numbers, out: &mut Vec<u8>) {
    let end = numbers.one_of(&["\n", "\n", "\r\n"]);
    let command = numbers.one_of(&[
        "SEND",
        "SEND",
        "SEND",
        "CONNECT",
        "STOMP",
        "SUBSCRIBE",
        "ACK",
        "BEGIN",
        "DISCONNECT",
    ]);
    out.extend_from_slice(command.as_bytes());
    out.extend_from_slice(end.as_bytes());
    for _ in 0..numbers.below(18) {
        let name = numbers.one_of(&["destination", "id", "receipt", "a\\cb", "x", " y ", "é"]);
        let value = numbers.one_of(&[
            "",
            "/topic/a",
            "1",
            "a:b",
            " padded ",
            "a\\nb\\c\\\\",
            "\\r",
            "世界",
            "\t",
        ]);
        out.extend_from_slice(format!("{name}:{value}{end}").as_bytes());
    }
    let body: &[u8] = match command {
        "SEND" => numbers.one_of(&[&b""[..], b"hello", b"\n", b"a\0b", b"\xff\xfe", b"\0"]),
        _ => numbers.one_of(&[&b""[..], b"", b"", b"\n", b"\r\n"]),
    };
    if body.contains(&0) || numbers.below(2) == 0 {
        out.extend_from_slice(format!("content-length:{}{end}", body.len()).as_bytes());
    }
    out.extend_from_slice(end.as_bytes());
    out.extend_from_slice(body);
    out.push(0);
    out.extend_from_slice(numbers.one_of(&["", "", "\n", "\r\n\n"]).as_bytes());
}

fn damage(numbers: &mut Numbers, stream: &mut Vec<u8>) {
    if stream.is_empty() {
        return;
    }
    let at = numbers.below(stream.len());
    match numbers.below(6) {
        0 => stream[at] = numbers.below(256) as u8,
        1 => stream[at] ^= 1 << numbers.below(8),
        2 => stream.truncate(at),
        3 => drop(stream.remove(at)),
        4 => {
            let behind = (at + numbers.below(20)).min(stream.len());
            let copy = stream[at..behind].to_vec();
            stream.splice(at..at, copy);
        }
        _ => {
            let token = numbers.one_of(&[
                "\n",
                "\r",
                "\r\n",
                "\0",
                ":",
                "\\",
                "\\c",
                "\\x",
                "content-length:2\n",
                "content-length:-1\n",
                "content-length:99999999999\n",
                "\n\n",
                "SEND\n",
                "\t",
            ]);
            stream.splice(at..at, token.bytes());
        }
    }
}
