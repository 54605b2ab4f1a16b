//! How fast are frames read, compared to what is known to be fast?
//!
//! * Decoding at once, against `httparse` on requests of the same lines: a chat server's other half
//!   speaks HTTP, and nobody calls that slow.
//! * The tokio decoder on reads of 1 to 8 KiB, against `httparse` used in the same way.
//! * Frames of 1 KiB against `memchr` for their NUL and against copying them: what reading costs at
//!   least.
//! * Does time grow with the octets, whatever they are and in whatever pieces they come? If not, a
//!   peer has a way to make us slow.

use std::{hint::black_box, time::Instant};

use benches::{Answer, Bound, Contest, frames, report};
use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use stomp_core::{Decoded, Decoder, FrameRef, Limits, Role, Version, codec::StompCodec};

fn main() {
    let mut answers = vec![];
    at_once(&mut answers);
    in_reads(&mut answers);
    of_one_kib(&mut answers);
    growth(&mut answers);
    report(&answers);
}

fn at_once(answers: &mut Vec<Answer>) {
    let (frames, count) = frames::stream(&frames::chat());
    let requests = frames::chat_request().repeat(count);
    let outcome = Contest::new("A chat frame at once, against a request of the same lines")
        .entry("FrameRef", || decode_all(&frames))
        .entry("httparse", || parse_all(&requests))
        .run();
    answers.push(Answer {
        what: "one-shot decode, speed relative to httparse",
        value: outcome.speed("FrameRef", "httparse"),
        floor: Bound::AtLeast(0.60),
    });
}

/// Every frame of `octets`; the number of them.
fn decode_all(octets: &[u8]) -> usize {
    let limits = Limits::default();
    let (mut rest, mut count) = (octets, 0);
    while let Ok(Some((frame, length))) =
        FrameRef::decode(rest, Role::Client, Version::V1_2, &limits)
    {
        black_box(&frame);
        rest = &rest[length..];
        count += 1;
    }
    count
}

/// Every request of `octets`, with its body; the number of them.
fn parse_all(octets: &[u8]) -> usize {
    let (mut rest, mut count) = (octets, 0);
    while !rest.is_empty() {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let Ok(httparse::Status::Complete(head)) = request.parse(rest) else { break };
        let body = content_length(request.headers);
        black_box(&request);
        black_box(&rest[head..head + body]);
        rest = &rest[head + body..];
        count += 1;
    }
    count
}

fn content_length(headers: &[httparse::Header<'_>]) -> usize {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let text = header.and_then(|header| std::str::from_utf8(header.value).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn in_reads(answers: &mut Vec<Answer>) {
    let (frames, count) = frames::stream(&frames::chat());
    let requests = frames::chat_request().repeat(count);
    let outcome = Contest::new("The same in reads of 1 to 8 KiB, owned")
        .entry("tokio Decoder", || {
            let mut codec = StompCodec::new(Role::Client, Limits::default());
            let decode = |buffer: &mut BytesMut| match tokio_util::codec::Decoder::decode(
                &mut codec, buffer,
            ) {
                Ok(Some(Decoded::Frame(frame))) => Some(frame),
                _ => None,
            };
            feed(&frames, decode)
        })
        .entry("httparse over BytesMut", || feed(&requests, OwnedRequest::take))
        .run();
    answers.push(Answer {
        what: "tokio Decoder, 1..8 KiB reads, relative to httparse over BytesMut",
        value: outcome.speed("tokio Decoder", "httparse over BytesMut"),
        floor: Bound::AtLeast(1.0),
    });
}

/// Gives `octets` to `take` in reads of 1 to 8 KiB, as a socket would; how many it took out.
fn feed<T>(octets: &[u8], mut take: impl FnMut(&mut BytesMut) -> Option<T>) -> usize {
    const READS: [usize; 7] = [1460, 8192, 1024, 2920, 4096, 1460, 5840];
    let mut buffer = BytesMut::with_capacity(8192);
    let (mut rest, mut count) = (octets, 0);
    for size in READS.into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (read, behind) = rest.split_at(size.min(rest.len()));
        buffer.extend_from_slice(read);
        rest = behind;
        while let Some(taken) = take(&mut buffer) {
            black_box(&taken);
            count += 1;
        }
    }
    count
}

/// What a server keeps of a request: the octets, and where its headers are.
struct OwnedRequest {
    _octets: Bytes,
    _headers: SmallVec<[(u32, u32, u32, u32); 12]>,
}

impl OwnedRequest {
    fn take(buffer: &mut BytesMut) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let Ok(httparse::Status::Complete(head)) = request.parse(buffer) else { return None };
        let length = head + content_length(request.headers);
        if buffer.len() < length {
            return None;
        }
        let origin = buffer.as_ptr() as usize;
        let place = |octets: &[u8]| {
            let start = (octets.as_ptr() as usize - origin) as u32;
            (start, start + octets.len() as u32)
        };
        let headers = request.headers.iter().map(|header| {
            let (name, value) = (place(header.name.as_bytes()), place(header.value));
            (name.0, name.1, value.0, value.1)
        });
        let headers = headers.collect();
        Some(Self { _headers: headers, _octets: buffer.split_to(length).freeze() })
    }
}

fn of_one_kib(answers: &mut Vec<Answer>) {
    let (counted, _) = frames::stream(&frames::chat_1k());
    let (to_nul, count) = frames::stream(&frames::to_nul_1k());
    let mut copy = vec![0; 1024];
    let outcome = Contest::new("Frames of 1 KiB")
        .entry("FrameRef, content-length", || decode_all(&counted))
        .entry("FrameRef, up to the NUL", || decode_all(&to_nul))
        .entry("memchr of NUL", || memchr::memchr_iter(0, black_box(&to_nul)).count())
        .entry("memcpy", || {
            for frame in to_nul.chunks_exact(1024) {
                copy.copy_from_slice(black_box(frame));
                black_box(&mut copy);
            }
            count
        })
        .run();
    answers.push(Answer {
        what: "1 KiB frames relative to memchr(NUL)",
        value: outcome.speed("FrameRef, content-length", "memchr of NUL"),
        floor: Bound::AtLeast(0.30),
    });
    answers.push(Answer {
        what: "the same without content-length",
        value: outcome.speed("FrameRef, up to the NUL", "memchr of NUL"),
        floor: Bound::AtLeast(0.30),
    });
    answers.push(Answer {
        what: "1 KiB frames relative to memcpy",
        value: outcome.speed("FrameRef, content-length", "memcpy"),
        floor: Bound::AtLeast(0.0),
    });
}

/// Octets that make a decoder slow if anything does. Only the first three never end.
fn floods(length: usize) -> [(&'static str, Vec<u8>); 6] {
    let repeated = |unit: &str, before: &str, behind: &str| {
        [before.as_bytes(), &unit.as_bytes().repeat(length / unit.len()), behind.as_bytes()]
            .concat()
    };
    [
        ("unfinished body", repeated("x", "SEND\ncontent-length:9999999\n\n", "")),
        ("unfinished body without length", repeated("x", "SEND\n\n", "")),
        ("unfinished head", repeated("x", "SEND\nname:", "")),
        ("header flood", repeated("name:value\n", "SEND\n", "\n\0")),
        ("escapes", repeated("\\n\\c", "SEND\nname:", "\n\n\0")),
        ("ends of line", repeated("\r\n", "", "")),
    ]
}

fn growth(answers: &mut Vec<Answer>) {
    let mut worst: f64 = 0.0;
    println!("\nTime of 4n over time of n, n = 32 KiB");
    let (small, large) = (floods(32 * 1024), floods(128 * 1024));
    for ((name, small), (_, large)) in small.iter().zip(&large) {
        for read in [1, 64, 1460] {
            let ratio = shortest(large, read) / shortest(small, read);
            println!("    {ratio:10.2}     {name}, reads of {read}");
            worst = worst.max(ratio);
        }
    }
    answers.push(Answer {
        what: "time(4n)/time(n), the worst of all floods and reads",
        value: worst,
        floor: Bound::AtMost(5.5),
    });
}

/// The shortest of many times: it is the one in which nothing else ran.
fn shortest(octets: &[u8], read: usize) -> f64 {
    let mut buffer = BytesMut::with_capacity(2 * octets.len());
    (0..40).map(|_| time(octets, read, &mut buffer)).fold(f64::INFINITY, f64::min)
}

fn time(octets: &[u8], read: usize, buffer: &mut BytesMut) -> f64 {
    let most = 1 << 24;
    let limits = Limits { command: 32, header_line: most, headers: most, head: most, body: most };
    let mut decoder = Decoder::new(Role::Client, limits);
    buffer.clear();
    let start = Instant::now();
    for piece in octets.chunks(read) {
        buffer.extend_from_slice(piece);
        while let Ok(Some(found)) = decoder.decode(buffer) {
            black_box(found);
        }
    }
    start.elapsed().as_secs_f64()
}
