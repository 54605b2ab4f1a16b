//! The program's everyday tools, from a shell's point of view.
#![cfg(all(feature = "cli", feature = "testing"))]

mod started;

use crate::started::Program;

/// Runs a tool against a server; what it prints.
fn run(server: &Program, arguments: &[&str], input: &str) -> (String, Option<i32>) {
    let url = format!("tcp://{}", server.tcp);
    let mut all = arguments.to_vec();
    all.extend(["--url", &url]);
    Program::piped(&all, input)
}

#[test]
fn what_send_sends_tail_prints_with_its_place() {
    let server = Program::start(&[]);
    let (place, code) = run(&server, &["send", "/topic/a", "hello"], "");
    assert_eq!(code, Some(0));
    let (more, code) = run(&server, &["send", "/topic/a", "--lines", "--header", "x:y"], "1\n2\n");
    assert_eq!((more.lines().count(), code), (2, Some(0)));
    let (twice, _) = run(&server, &["send", "/topic/a", "--dedup-id", "7"], "from a pipe");
    let (again, _) = run(&server, &["send", "/topic/a", "--dedup-id", "7"], "from a pipe");
    assert_eq!(again.trim_end(), format!("{} duplicate", twice.trim_end()));

    let (all, code) = run(&server, &["tail", "/topic/a", "--from", "first", "-n", "4"], "");
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!((lines.len(), code), (4, Some(0)));
    assert_eq!(lines[0], format!("{}\t/topic/a\thello", place.trim_end()));
    let (rest, _) = run(&server, &["tail", "/topic/a", "--from", place.trim(), "-n", "1"], "");
    assert_eq!(rest.trim_end(), lines[1], "a position is exclusive");
    let (last, _) =
        run(&server, &["tail", "/topic/a", "--from", "last:2", "-n", "1", "--headers"], "");
    assert!(last.contains("x:y "), "{last}");
}

#[test]
fn a_tool_that_fails_says_so_with_its_exit_code() {
    let server = Program::start(&[]);
    assert_eq!(run(&server, &["send", "nowhere", "x"], "").1, Some(1));
    assert_eq!(run(&server, &["tail", "/topic/a", "--from", "yesterday"], "").1, Some(2));
    let nobody = ["send", "/topic/a", "x", "--url", "tcp://127.0.0.1:1"];
    assert_eq!(Program::piped(&nobody, "").1, Some(1));
}

#[test]
fn a_bench_counts_every_message() {
    let server = Program::start(&[]);
    let (report, code) = run(&server, &["bench", "--messages", "500"], "");
    assert_eq!(code, Some(0));
    assert!(report.contains("receipted  500 of 500"), "{report}");
    assert!(report.contains("delivered  2000 of 2000"), "{report}");
}
