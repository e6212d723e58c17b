//! The decoder from outside: every shape it accepts, everything it rejects or skips, and what holds for any input.

use flate2::{Compression, write::GzEncoder};
use iota_engine::decode::{Decoder, Item, Limits, Whole};
use iota_engine::json::{Ignore, ScanError, Scanned, Syntax, Value, escape_into, minify, scan};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const SMALL: Limits = Limits { max_record: 64, max_inflated: 1 << 20 };

/// Hands out at most the given numbers of bytes at a time, over and over.
struct Trickle<'a> {
    bytes: &'a [u8],
    sizes: &'a [usize],
    reads: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.sizes[self.reads % self.sizes.len()].clamp(1, buf.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(count);
        buf[..count].copy_from_slice(now);
        self.bytes = later;
        self.reads += 1;
        Ok(count)
    }
}

/// Every item as text: `number:line:offset`, then the record, or what was wrong. Panics when there is no end of them.
fn items(reader: impl Read, limits: Limits, most: usize) -> Vec<String> {
    items_of(&mut Decoder::new(reader, limits), 0, 0, most)
}

/// Items behind so many things and lines of the input.
fn items_of(decoder: &mut Decoder<impl Read>, count: u64, lines: u64, most: usize) -> Vec<String> {
    let mut items = Vec::new();
    while let Some(item) = decoder.next().expect("reads from memory") {
        let (position, what) = match item {
            Item::Record(record) => (record.position, String::from_utf8(record.raw.to_vec()).expect("a record is UTF-8")),
            Item::Rejected(reject) => (reject.position, format!("rejected {}", reject.reason.code())),
            Item::Skipped(skip, position) => (position, format!("skipped {}", skip.code())),
        };
        items.push(format!("{}:{}:{} {what}", count + position.number, lines + position.line, position.offset));
        assert!(items.len() <= most, "items without end, the last: {:?}", items.last());
    }
    items
}

/// The items of an input that is in memory as a whole; `None` where it has to be read as a stream.
fn items_of_whole(whole: &mut Whole, input: &[u8], limits: Limits) -> Option<Vec<String>> {
    whole.bytes().clear();
    whole.bytes().extend_from_slice(input);
    let items = whole.decode(limits, |decoder| items_of(decoder, 0, 0, usize::MAX));
    assert_eq!(whole.bytes().len(), input.len());
    items
}

/// The items of an input that is cut wherever a line starts with an object, as far as decoding confirms the cuts.
fn items_of_pieces(input: &[u8], limits: Limits) -> Vec<String> {
    let cuts = input.windows(2).enumerate().filter(|(_, pair)| pair == b"\n{").map(|(at, _)| at + 1);
    let starts: Vec<usize> = std::iter::once(0).chain(cuts).collect();
    let (mut items, mut count, mut lines) = (Vec::new(), 0, 0);
    for (n, &start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).map(|&end| end as u64);
        let mut decoder = Decoder::piece(&input[start..], limits, start as u64, end);
        items.extend(items_of(&mut decoder, count, lines, input.len() + 2));
        count += decoder.count();
        lines += decoder.line() - 1;
        assert!(!(decoder.reached_end() && decoder.passed_end()));
        if !decoder.reached_end() {
            break;
        }
        assert_eq!(Some(decoder.offset()), end);
    }
    items
}

fn decode(input: &[u8]) -> Vec<String> {
    items(input, Limits::default(), input.len() + 2)
}

/// Items without their positions.
fn found(input: &[u8]) -> Vec<String> {
    bare(decode(input))
}

fn bare(items: Vec<String>) -> Vec<String> {
    items.into_iter().map(|item| item.split_once(' ').expect("position and item").1.to_owned()).collect()
}

fn records(input: &[u8]) -> Vec<String> {
    found(input).into_iter().filter(|item| item.starts_with('{')).collect()
}

/// Checks what an input decodes to, and that neither tiny reads nor gzip change it.
fn check(input: impl AsRef<[u8]>, expected: &[&str]) {
    let input = input.as_ref();
    let text = String::from_utf8_lossy(&input[..input.len().min(300)]).into_owned();
    assert_eq!(decode(input), expected, "{text}");
    let trickled = Trickle { bytes: input, sizes: &[1], reads: 0 };
    assert_eq!(items(trickled, Limits::default(), input.len() + 2), expected, "byte by byte: {text}");
    let whole = &mut Whole::default();
    assert_eq!(items_of_whole(whole, input, Limits::default()).unwrap_or_else(|| decode(input)), expected, "at once: {text}");
    if !input.starts_with(b"\x1F\x8B") {
        let zipped = gzip(input);
        assert_eq!(decode(&zipped), expected, "gzip: {text}");
        assert_eq!(items_of_whole(whole, &zipped, Limits::default()).expect("sound"), expected, "gzip at once: {text}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

/// Gzip that does not compress, so that a damaged byte is a damaged byte.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    escape_into(&mut out, text.as_bytes());
    String::from_utf8(out).expect("UTF-8 in, UTF-8 out")
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

/// How many records, and how many of each other thing.
fn count(path: &Path) -> String {
    let mut counts = BTreeMap::new();
    for item in found(&std::fs::read(path).expect("test data")) {
        *counts.entry(if item.starts_with('{') { "records".to_owned() } else { item }).or_insert(0) += 1;
    }
    counts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

mod shapes {
    use super::*;

    const A: &str = r#"{"eventName":"A"}"#;
    const B: &str = r#"{"eventName":"B"}"#;

    #[test]
    fn json_lines() {
        let both: &[&str] = &[r#"1:1:0 {"eventName":"A"}"#, r#"2:2:18 {"eventName":"B"}"#];
        check(format!("{A}\n{B}\n"), both);
        check(format!("{A}\n{B}"), both);
        check(format!("{A}\r\n{B}\r\n"), &[both[0], r#"2:2:19 {"eventName":"B"}"#]);
        check(format!("\u{feff}{A}\n{B}\n"), &[r#"1:1:3 {"eventName":"A"}"#, r#"2:2:21 {"eventName":"B"}"#]);
        check(format!("\n\n  {A}\n\n{B}\n\n"), &[r#"1:3:4 {"eventName":"A"}"#, r#"2:5:23 {"eventName":"B"}"#]);
    }

    #[test]
    fn a_file_of_json_lines_can_be_cut_at_every_line() {
        let text = format!("{A}\n\n{B}\n{{\"a\":NaN}}\n{A}\n  {B}\ntext\n{A}\n");
        let mut decoder = Decoder::piece(text.as_bytes(), Limits::default(), 0, Some(19));
        assert_eq!(items_of(&mut decoder, 0, 0, 9), [r#"1:1:0 {"eventName":"A"}"#]);
        assert!(decoder.reached_end());
        assert_eq!(items_of_pieces(text.as_bytes(), Limits::default()), decode(text.as_bytes()));
    }

    #[test]
    fn a_byte_order_mark_inside_joined_files_costs_no_record() {
        check(format!("{A}\n\u{feff}{B}"), &[r#"1:1:0 {"eventName":"A"}"#, r#"2:2:21 {"eventName":"B"}"#]);
        check("\u{feff}", &[]);
    }

    #[test]
    fn values_without_a_line_end_between_them() {
        check(format!("{A}{B}"), &[r#"1:1:0 {"eventName":"A"}"#, r#"2:1:17 {"eventName":"B"}"#]);
        check(
            format!(r#"{{"Records":[{A}]}}{{"Records":[{B}]}}"#),
            &[r#"1:1:12 {"eventName":"A"}"#, r#"2:1:43 {"eventName":"B"}"#],
        );
    }

    #[test]
    fn log_files() {
        check(format!(r#"{{"Records":[{A},{B}]}}"#), &[r#"1:1:12 {"eventName":"A"}"#, r#"2:1:30 {"eventName":"B"}"#]);
        check(format!("{{\"Records\":[\n{A},\n{B}\n]}}\n"), &[r#"1:2:13 {"eventName":"A"}"#, r#"2:3:32 {"eventName":"B"}"#]);
        check(
            format!("{{\n  \"Records\" : [\n    {A} ,\n    {B}\n  ]\n}}\n"),
            &[r#"1:3:22 {"eventName":"A"}"#, r#"2:4:46 {"eventName":"B"}"#],
        );
        check(r#"{"Records":[]}"#, &[]);
        check(r#"{"\u0052ecords":[{"eventName":"A"}]}"#, &[r#"1:1:17 {"eventName":"A"}"#]);
    }

    #[test]
    fn members_around_the_list_do_not_matter() {
        let a: &[&str] = &[r#"1:1:26 {"eventName":"A"}"#];
        check(
            r#"{"n":[1,{"x":"]"}],"Recor":1,"Records":[{"eventName":"A"}],"after":{"Records":[]},"n":12}"#,
            &[r#"1:1:40 {"eventName":"A"}"#],
        );
        check(r#"{"a" : 1.5e3 , "Records":[{"eventName":"A"}] , "b" : 12 , "c":[ ] }"#, a);
        // Two lists in one object: both are read.
        check(
            r#"{"Records":[{"eventName":"A"}],"Records":[{"eventName":"B"}]}"#,
            &[r#"1:1:12 {"eventName":"A"}"#, r#"2:1:42 {"eventName":"B"}"#],
        );
    }

    #[test]
    fn arrays_and_single_objects() {
        check(format!("[{A},{B}]"), &[r#"1:1:1 {"eventName":"A"}"#, r#"2:1:19 {"eventName":"B"}"#]);
        check(format!("[\n  {A},\n  {B}\n]\n"), &[r#"1:2:4 {"eventName":"A"}"#, r#"2:3:25 {"eventName":"B"}"#]);
        check(format!("[{A}]\n[{B}]\n"), &[r#"1:1:1 {"eventName":"A"}"#, r#"2:2:21 {"eventName":"B"}"#]);
        check("[]", &[]);
        check(A, &[r#"1:1:0 {"eventName":"A"}"#]);
    }

    #[test]
    fn pretty_printed_objects_one_after_another() {
        let pretty = "{\n  \"eventName\": \"A\",\n  \"resources\": [\n    {\n      \"x\": {}\n    }\n  ]\n}\n";
        let twice = decode(format!("{pretty}{pretty}").as_bytes());
        assert_eq!(twice, [format!("1:1:0 {}", pretty.trim_end()), format!("2:9:{} {}", pretty.len(), pretty.trim_end())]);
        // Indented by nothing, as `json.dumps(indent=0)` does.
        let flat = "{\n\"r\": [\n{\n\"a\": 1\n},\n{\n\"b\": 2\n}\n]\n}";
        assert_eq!(found(format!("{flat}\n{flat}").as_bytes()), [flat, flat]);
    }

    #[test]
    fn eventbridge() {
        for kind in ["API Call", "Console Sign In", "Service Event", "Service Event via X"] {
            let line = format!(r#"{{"detail-type":"AWS {kind} via CloudTrail","source":"aws.s3","detail":{A},"id":"x"}}"#);
            assert_eq!(found(line.as_bytes()), [A], "{kind}");
            assert_eq!(records(format!("{line}\n{line}").as_bytes()), [A, A], "{kind}");
            assert_eq!(records(format!("[{line},{line}]").as_bytes()), [A, A], "{kind}");
        }
        check(format!(r#"{{"detail":{A}}}"#), &[r#"1:1:0 {"eventName":"A"}"#]);
        check(
            r#"{"detail-type":"EC2 Instance State-change Notification","detail":{"state":"running"}}"#,
            &["1:1:0 skipped not_cloudtrail"],
        );
        check(
            r#"{"detail-type":"AWS Insight via CloudTrail","detail":{"eventCategory":"Insight","eventName":"X"}}"#,
            &["1:1:0 skipped insight"],
        );
        check(r#"{"detail-type":"AWS API Call via CloudTrail","detail":{}}"#, &["1:1:0 skipped empty"]);
        // A record with a `detail` of its own is a record.
        check(r#"{"eventName":"A","detail":{"x":1}}"#, &[r#"1:1:0 {"eventName":"A","detail":{"x":1}}"#]);
        check(r#"{"detail":{"detail":{"x":1}}}"#, &[r#"1:1:0 {"detail":{"x":1}}"#]);
    }

    #[test]
    fn lookup_events() {
        let row = |record: &str| format!(r#"{{"EventId":"e","EventName":"A","CloudTrailEvent":{}}}"#, quoted(record));
        let escaped = r#"{"eventName":"A","x":"\"\\\n\ud83d\ude00\ud800é"}"#;
        assert_eq!(found(format!(r#"{{"Events":[{},{}],"NextToken":"t"}}"#, row(A), row(escaped)).as_bytes()), [A, escaped]);
        assert_eq!(found(format!("{}\n{}\n", row(escaped), row(B)).as_bytes()), [escaped, B]);
        assert_eq!(found(format!("[{}]", row(" {} ")).as_bytes()), ["skipped empty"]);
        for (text, expected) in [
            ("", "rejected not_json"),
            ("text", "rejected not_json"),
            ("[]", "rejected not_an_object"),
            ("7", "rejected not_an_object"),
            (r#"{"eventName":"#, "rejected truncated"),
            (r#"{"eventName":NaN}"#, "rejected not_finite"),
            (r#"{"eventName":"A"} x"#, "rejected not_json"),
            (r#"{"Records":[{"eventName":"A"}]}"#, "rejected nested_list"),
        ] {
            assert_eq!(found(row(text).as_bytes()), [expected], "{text}");
        }
        assert_eq!(found(br#"{"EventId":"e","CloudTrailEvent":null}"#).len(), 1);
    }

    #[test]
    fn members_are_listed_in_document_order() {
        let record = r#"{ "eventName" : "A" , "\u0061":[1, 2],"n":-1.5,"":{"x":{}},"eventName":null}"#;
        let expected =
            [("eventName", r#""A""#), (r"\u0061", "[1, 2]"), ("n", "-1.5"), ("", r#"{"x":{}}"#), ("eventName", "null")];
        for input in [
            format!("{A}\n{record}"),
            format!(r#"{{"a":1,"Records":[{A},{record}]}}"#),
            format!(r#"{{"x":1,"detail":{A}}}{{"detail-type":"AWS API Call via CloudTrail","y":0,"detail":{record}}}"#),
            format!(r#"{{"Events":[{{"CloudTrailEvent":{}}},{{"CloudTrailEvent":{}}}]}}"#, quoted(A), quoted(record)),
        ] {
            // A small buffer, so that values are scanned again when more was read.
            let trickled = Trickle { bytes: input.as_bytes(), sizes: &[1], reads: 0 };
            let mut decoder = Decoder::new(trickled, Limits::default());
            decoder.next().expect("reads from memory");
            let Some(Item::Record(found)) = decoder.next().expect("reads from memory") else { panic!("{input}: no record") };
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
            let members: Vec<_> =
                found.members.iter().map(|member| (text(member.name.of(found.raw)), text(member.value.of(found.raw)))).collect();
            assert_eq!(members, expected.map(|(name, value)| (name.to_owned(), value.to_owned())), "{input}");
        }
    }

    #[test]
    fn a_lone_surrogate_survives_the_string_it_came_in() {
        let row = r#"{"CloudTrailEvent":"{\"eventName\":\"A\ud800\",\"\udfff\":\"\ud83d\ude00\"}"}"#;
        assert_eq!(found(row.as_bytes()), [r#"{"eventName":"A\ud800","\udfff":"😀"}"#]);
    }

    #[test]
    fn cloudwatch_logs() {
        let payload = |kind: &str, message: &str| {
            format!(r#"{{"messageType":"{kind}","logEvents":[{{"id":"1","timestamp":1,"message":{}}}]}}"#, quoted(message))
        };
        assert_eq!(found(payload("DATA_MESSAGE", A).as_bytes()), [A]);
        let control = payload("CONTROL_MESSAGE", "CWL CONTROL MESSAGE: Checking health of destination Firehose.");
        assert_eq!(found(control.as_bytes()), ["skipped not_cloudtrail"]);
        assert_eq!(found(br#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs"}"#), ["skipped not_cloudtrail"]);
        assert_eq!(found(format!("{control}\n{}", payload("DATA_MESSAGE", B)).as_bytes()), ["skipped not_cloudtrail", B]);
        assert_eq!(found(payload("DATA_MESSAGE", "START RequestId: 1").as_bytes()), ["rejected not_json"]);
        // An EventBridge envelope that was written to a log group.
        assert_eq!(found(payload("DATA_MESSAGE", &format!(r#"{{"detail":{A}}}"#)).as_bytes()), [A]);
    }

    #[test]
    fn gzip_members_are_one_input_wherever_they_are_cut() {
        let text = format!("{A}\n{B}\n");
        for cut in 0..=text.len() {
            let (first, second) = text.as_bytes().split_at(cut);
            let members = [gzip(first), gzip(b""), gzip(second)].concat();
            assert_eq!(found(&members), [A, B], "{cut}");
        }
        let padded = [gzip(text.as_bytes()), vec![0; 700], gzip(B.as_bytes()), vec![0; 3]].concat();
        check(&padded, &[r#"1:1:0 {"eventName":"A"}"#, r#"2:2:18 {"eventName":"B"}"#, r#"3:3:36 {"eventName":"B"}"#]);
    }

    #[test]
    fn what_cloudtrail_may_send_is_kept_as_it_is() {
        for record in [
            r#"{"a":1,"a":2}"#,
            r#"{"n":90071992547409931234567890,"m":-0,"f":1.50}"#,
            r#"{"s":"\ud800","t":"\udfff\ud83d"}"#,
            r#"{"eventName":null,"eventID":7}"#,
            r#"{"requestParameters":"{\"a\":\"}\"}"}"#,
            r#"{"eventVersion":"2.0","eventCategory":"Unheard"}"#,
            r#"{"eventName":"X","Records":null}"#,
            "{\"s\":\"ü€😀\u{feff}\u{2028}\"}",
        ] {
            check(record, &[&format!("1:1:0 {record}")]);
        }
        let large = format!(r#"{{"eventName":"A","x":"{}"}}"#, "é".repeat(200_000));
        assert_eq!(found(large.as_bytes()), [large]);
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(255), "]".repeat(255));
        assert_eq!(found(deep.as_bytes()), [deep]);
    }
}

mod bad_input {
    use super::*;

    const A: &str = r#"{"eventName":"A"}"#;
    const B: &str = r#"{"eventName":"B"}"#;

    #[test]
    fn a_broken_line_costs_itself_alone() {
        for (broken, code) in [
            (r#"{"a":NaN}"#, "not_finite"),
            (r#"{"a":[-Infinity]}"#, "not_finite"),
            (r#"{"a":Infinity}"#, "not_finite"),
            (r#"{"a":1e400}"#, "number_overflow"),
            (r#"{"a":-1e400}"#, "number_overflow"),
            (&format!(r#"{{"a":{}}}"#, "7".repeat(4301)), "integer_too_long"),
            (&format!(r#"{{"a":{}{}}}"#, "[".repeat(256), "]".repeat(256)), "too_deep"),
            (r#"{"a":1,}"#, "invalid_json"),
            (r#"{"a":[1,]}"#, "invalid_json"),
            (r#"{"a:1}"#, "invalid_json"),
            (r#"{"a":"x}"#, "invalid_json"),
            (r#"{"a":"x","b}"#, "invalid_json"),
            (r#"{"a":1"#, "invalid_json"),
            (r#"{"a":{"b":1}"#, "invalid_json"),
            // Only at the end is it clear that the next line was not meant to be inside.
            (r#"{"a":["#, "truncated"),
            (r#"{"a""#, "invalid_json"),
            ("{", "invalid_json"),
            ("{'a':1}", "invalid_json"),
            (r#"{"a":01}"#, "invalid_json"),
            (r#"{"a":"\x"}"#, "invalid_json"),
            (r#"{"a":tru}"#, "invalid_json"),
            (r#"{"a":"tab	"}"#, "invalid_json"),
            ("garbage", "not_json"),
            ("2024-01-01 12:00:00 INFO started", "not_json"),
            (r#""a":1}"#, "not_json"),
            (r#""text"#, "not_json"),
            ("# comment", "not_json"),
            ("nul", "not_json"),
            ("-", "not_json"),
            ("01", "not_json"),
            ("NaN", "not_finite"),
            ("12", "not_an_object"),
            (r#""text" "#, "not_an_object"),
            ("null", "not_an_object"),
            ("},]", "not_json"),
        ] {
            let b = A.len() + broken.len() + 2;
            check(
                format!("{A}\n{broken}\n{B}\n"),
                &[&format!("1:1:0 {A}"), &format!("2:2:18 rejected {code}"), &format!("3:3:{b} {B}")],
            );
        }
        let utf8 = [A.as_bytes(), b"\n{\"a\":\"\xFF\"}\n", B.as_bytes()].concat();
        check(utf8, &[&format!("1:1:0 {A}"), "2:2:18 rejected invalid_utf8", &format!("3:3:28 {B}")]);
    }

    #[test]
    fn a_broken_element_costs_itself_alone() {
        for (broken, code) in [
            ("7", "not_an_object"),
            ("null", "not_an_object"),
            (r#""text""#, "not_an_object"),
            ("[[1]]", "not_an_object"),
            (r#"{"a":NaN}"#, "not_finite"),
            (r#"{"a":1e400}"#, "number_overflow"),
            (r#"{"a":1,}"#, "invalid_json"),
            (r#"{"a" 1}"#, "invalid_json"),
            (r#"{"a":{"b" 1},"c":[1,2]}"#, "invalid_json"),
            (r#"{"a":"\x","b":","}"#, "invalid_json"),
            ("", "invalid_json"),
            ("}", "invalid_json"),
            ("tru", "invalid_json"),
            (r#"{"Records":[{"eventName":"A"}]}"#, "nested_list"),
            (&format!(r#"{{"a":{}{}}}"#, "[".repeat(256), "]".repeat(256)), "too_deep"),
        ] {
            for (open, close) in [("[", "]"), (r#"{"Records":["#, "]}")] {
                let (first, second) = (open.len(), open.len() + A.len() + 1);
                let third = second + broken.len() + 1;
                check(
                    format!("{open}{A},{broken},{B}{close}{A}"),
                    &[
                        &format!("1:1:{first} {A}"),
                        &format!("2:1:{second} rejected {code}"),
                        &format!("3:1:{third} {B}"),
                        &format!("4:1:{} {A}", third + B.len() + close.len()),
                    ],
                );
            }
        }
    }

    #[test]
    fn damage_between_elements() {
        // A missing comma, a trailing one, a bracket of the wrong kind: each is said, none costs a record.
        check(format!("[{A} {B}]"), &[&format!("1:1:1 {A}"), "2:1:19 rejected invalid_json", &format!("3:1:19 {B}")]);
        check(
            format!(r#"{{"Records":[{A},{B},]}}"#),
            &[&format!("1:1:12 {A}"), &format!("2:1:30 {B}"), "3:1:48 rejected invalid_json"],
        );
        check(format!("[{A}}},{B}]"), &[&format!("1:1:1 {A}"), "2:1:18 rejected invalid_json", &format!("3:1:20 {B}")]);
        // The first `]` ends the list; what closed it is left over.
        let early = format!(r#"{{"Records":[{A}],{B}]}}"#);
        assert_eq!(found(early.as_bytes()), [A, "rejected invalid_json", B, "rejected not_json"]);
    }

    #[test]
    fn an_array_in_place_of_a_record_does_not_swallow_the_lines_behind_it() {
        assert_eq!(found(format!("{{\"Records\":[\n[{A},\n{B},\n{A}\n]}}").as_bytes()), ["rejected not_an_object", B, A]);
        assert_eq!(found(format!("[[{A},{A}],{B}]").as_bytes()), ["rejected not_an_object", B]);
    }

    #[test]
    fn wrong_closing_brackets_do_not_repeat_themselves_for_ever() {
        assert_eq!(found(b"[}"), ["rejected invalid_json", "rejected truncated"]);
        assert_eq!(found(b"[1}"), ["rejected not_an_object", "rejected invalid_json", "rejected truncated"]);
        assert_eq!(found(b"[}}}}]"), ["rejected invalid_json"]);
        assert_eq!(found(b"}}]],,"), ["rejected not_json"]);
    }

    #[test]
    fn values_with_commas_between_them_are_all_read() {
        assert_eq!(found(format!("{A},{B}").as_bytes()), [A, "rejected not_json", B]);
        assert_eq!(found(format!("{A},\n{B},\n").as_bytes()), [A, "rejected not_json", B, "rejected not_json"]);
    }

    #[test]
    fn the_next_log_file_survives_a_list_that_was_not_closed() {
        let file = format!(r#"{{"Records":[{B}]}}"#);
        for cut in [
            r#"{"Records":[{"eventName":"A"}"#,
            r#"{"Records":[{"eventName":"A"}}"#,
            r#"{"Records":[{"eventName":"A"}]"#,
            r#"{"Records":[{"eventName":"A"},{"eventName":"#,
            r#"{"Records":[{"eventName":"A"},{"eventName":"cut"#,
        ] {
            let items = found(format!("{cut}\n{file}\n").as_bytes());
            assert_eq!((items[0].as_str(), items.last().map(String::as_str)), (A, Some(B)), "{cut}: {items:?}");
            assert!(items.len() > 2, "{cut}: nothing said");
        }
    }

    #[test]
    fn lists_that_are_none() {
        for (input, code) in [
            (r#"{"Records":null}"#, "not_an_array"),
            (r#"{"Records":{}}"#, "not_an_array"),
            (r#"{"Events":"x"}"#, "not_an_array"),
            (r#"{"logEvents":1,"messageType":"DATA_MESSAGE"}"#, "not_an_array"),
        ] {
            check(format!("{input}\n{A}"), &[&format!("1:1:0 rejected {code}"), &format!("2:2:{} {A}", input.len() + 1)]);
        }
    }

    #[test]
    fn an_input_that_ends_too_early() {
        check(r#"{"Records":[{"eventName":"A"},{"eventNa"#, &[r#"1:1:12 {"eventName":"A"}"#, "2:1:30 rejected truncated"]);
        check(r#"{"Records":[{"eventName":"A"},"#, &[r#"1:1:12 {"eventName":"A"}"#, "2:1:30 rejected truncated"]);
        check(r#"{"Records":[{"eventName":"A"}"#, &[r#"1:1:12 {"eventName":"A"}"#, "2:1:29 rejected truncated"]);
        check(r#"{"Records":[{"eventName":"A"}]"#, &[r#"1:1:12 {"eventName":"A"}"#, "2:1:30 rejected truncated"]);
        check(r#"{"Records":[{"eventName":"A"}],"x":1"#, &[r#"1:1:12 {"eventName":"A"}"#, "2:1:30 rejected truncated"]);
        check("[", &["1:1:1 rejected truncated"]);
        check("[12", &["1:1:1 rejected truncated"]);
        check(format!("{A}\n{{\"eventName\":\"B"), &[&format!("1:1:0 {A}"), "2:2:18 rejected truncated"]);
        // An unclosed line takes the rest of the input with it only as far as no line starts anew.
        check(format!("{{\"a\":[\n{A}"), &["1:1:0 rejected truncated", &format!("2:2:7 {A}")]);
    }

    #[test]
    fn truncated_gzip_keeps_the_records_before_the_cut() {
        let lines: Vec<String> =
            (0..2000).map(|n| format!(r#"{{"eventName":"A","n":{n},"x":"{:x}"}}"#, n * 7919 % 1009)).collect();
        for text in [lines.join("\n"), format!(r#"{{"Records":[{}]}}"#, lines.join(","))] {
            let zipped = gzip(text.as_bytes());
            let mut before = 0;
            for cut in [2, 9, 10, 11, zipped.len() / 3, zipped.len() / 2, zipped.len() - 9, zipped.len() - 8, zipped.len() - 1] {
                let items = found(&zipped[..cut]);
                let (last, records) = items.split_last().expect("something is said");
                assert_eq!(last, "rejected truncated_gzip", "{cut}");
                assert_eq!(records, &lines[..records.len()], "{cut}");
                assert!(records.len() >= before && (cut < 1000 || !records.is_empty()), "{cut}");
                before = records.len();
            }
            assert!(before >= 1999, "only the checksum was missing");
        }
    }

    #[test]
    fn corrupt_gzip_keeps_the_records_before_the_damage() {
        let lines: Vec<String> = (0..20_000).map(|n| format!(r#"{{"eventName":"A","n":{n}}}"#)).collect();
        let text = lines.join("\n");
        // Nothing is said of single bytes inside stored data before the checksum at the end.
        let mut zipped = stored(text.as_bytes());
        let last = zipped.len() - 5;
        zipped[last] ^= 1;
        let items = found(&zipped);
        assert_eq!(items.len(), 20_001);
        assert_eq!(items[20_000], "rejected corrupt_gzip");
        // Behind the first block something that is none: everything in front of it is kept.
        let mut zipped = gzip(text.as_bytes());
        let middle = zipped.len() / 2;
        zipped[middle..middle + 64].fill(0xFF);
        let whole = decode(&zipped);
        let trickled = items_of(&zipped, &[1, 7, 1000]);
        assert_eq!(whole, trickled);
        let kept = whole.iter().filter(|item| item.contains(r#"{"eventName":"A","n":"#)).count();
        assert!(kept > 5000, "{kept}");
        assert!(whole.last().is_some_and(|item| item.ends_with("rejected corrupt_gzip")));
        // Garbage behind a member.
        assert_eq!(found(&[gzip(A.as_bytes()), b"garbage".to_vec()].concat()), [A, "rejected corrupt_gzip"]);
        assert_eq!(found(b"\x1F\x8Bgarbage"), ["rejected corrupt_gzip"]);
        assert_eq!(found(b"\x1F\x8B"), ["rejected truncated_gzip"]);
        assert_eq!(found(b"\x1Fx"), ["rejected not_json"]);
    }

    fn items_of(bytes: &[u8], sizes: &[usize]) -> Vec<String> {
        items(Trickle { bytes, sizes, reads: 0 }, Limits::default(), bytes.len() * 100)
    }

    #[test]
    fn a_bomb_is_read_up_to_the_cap() {
        let zipped = gzip(format!("{A}\n{B}\n{}", " ".repeat(3 << 20)).as_bytes());
        let of = |zipped: &[u8], max_inflated| items(zipped, Limits { max_inflated, ..SMALL }, 10);
        let too_much = "3:3:36 rejected inflated_too_large";
        let offset_of_cap = format!("3:3:{} rejected inflated_too_large", 1 << 20);
        assert_eq!(of(&zipped, 1 << 20), [format!("1:1:0 {A}"), format!("2:2:18 {B}"), offset_of_cap]);
        assert_eq!(of(&zipped, 36), [format!("1:1:0 {A}"), format!("2:2:18 {B}"), too_much.to_owned()]);
        // The cap cuts a record: one cause, one reject.
        assert_eq!(of(&zipped, 20), [format!("1:1:0 {A}"), "2:2:18 rejected inflated_too_large".to_owned()]);
        assert_eq!(of(&zipped, 0), ["1:1:0 rejected inflated_too_large"]);
        // Exactly as much as allowed is allowed; plain input needs no cap.
        assert_eq!(of(&gzip(A.as_bytes()), A.len() as u64), [format!("1:1:0 {A}")]);
        assert_eq!(of(A.as_bytes(), 1), [format!("1:1:0 {A}")]);
    }

    #[test]
    fn a_record_is_too_large_by_its_size_alone() {
        for extra in [0, 1, 100, 5000] {
            let record = format!(r#"{{"a":"{}"}}"#, "x".repeat(SMALL.max_record - 8 + extra));
            let next = format!("2:2:{} {A}", record.len() + 1);
            let expected = if extra == 0 { format!("1:1:0 {record}") } else { "1:1:0 rejected record_too_large".to_owned() };
            for sizes in [&[1][..], &[7, 100], &[1 << 20]] {
                let of = |text: &str| items(Trickle { bytes: text.as_bytes(), sizes, reads: 0 }, SMALL, 10);
                assert_eq!(of(&format!("{record}\n{A}\n")), [expected.clone(), next.clone()], "{extra} {sizes:?}");
                assert_eq!(bare(of(&format!("[{record},{A}]"))), [&expected[6..], A], "{extra} {sizes:?}");
                let tail = format!(r#"{{"Records":[{A}],"x":{record}}}{B}"#);
                let kept: Vec<_> = bare(of(&tail)).into_iter().filter(|item| item.starts_with('{')).collect();
                assert_eq!(kept, [A, B], "{extra} {sizes:?}");
            }
        }
    }

    #[test]
    fn limits_of_nothing_are_no_panic() {
        for max_record in [0, 1, 2, usize::MAX] {
            let limits = Limits { max_record, max_inflated: u64::MAX };
            for input in [A, r#"{"Records":[],"x":1}"#, "[1]", "]", "x", "\u{feff}{}"] {
                let kept = items(input.as_bytes(), limits, 10).iter().filter(|item| item.starts_with("1:1:0 {")).count();
                assert_eq!(kept, usize::from(input == A && max_record > 2), "{input} {max_record}");
            }
        }
    }

    /// `head`, a byte many times, `tail`: never in memory as a whole.
    struct Huge {
        head: &'static [u8],
        filler: u8,
        times: usize,
        tail: &'static [u8],
    }

    impl Read for Huge {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.head.is_empty() && self.times > 0 {
                let count = buf.len().min(self.times);
                buf[..count].fill(self.filler);
                self.times -= count;
                return Ok(count);
            }
            let from = if self.head.is_empty() { &mut self.tail } else { &mut self.head };
            from.read(buf)
        }
    }

    #[test]
    fn a_huge_line_is_passed_over_while_streaming() {
        let limits = Limits { max_record: 1 << 20, ..Limits::default() };
        let huge = |head: &'static str, filler, tail: &'static str| {
            items(Huge { head: head.as_bytes(), filler, times: 200_000_000, tail: tail.as_bytes() }, limits, 10)
        };
        assert_eq!(
            huge("{\"x\":\"", b'a', "\"}\n{\"eventName\":\"A\"}\n"),
            ["1:1:0 rejected record_too_large", r#"2:2:200000009 {"eventName":"A"}"#,]
        );
        assert_eq!(
            huge(r#"{"Records":[{"x":""#, b'a', r#""},{"eventName":"A"}]}"#),
            ["1:1:12 rejected record_too_large", r#"2:1:200000021 {"eventName":"A"}"#,]
        );
        assert_eq!(
            huge("text ", b'a', "\n{\"eventName\":\"A\"}\n"),
            ["1:1:0 rejected not_json", r#"2:2:200000006 {"eventName":"A"}"#,]
        );
    }

    #[test]
    fn many_unclosed_lines_are_counted_and_what_follows_is_found() {
        for opening in ["{\"a\":[\n", "{\"a\":[1,\n", "{\"a\":\n"] {
            for lines in [1, 2, 7, 8, 9, 10, 100, 300, 1000] {
                let text = format!("{}{A}\n{B}\n{A}\n", opening.repeat(lines));
                let items = found(text.as_bytes());
                let rejected = items.iter().filter(|item| item.starts_with("rejected")).count();
                let kept: Vec<_> = items.into_iter().filter(|item| item.starts_with(r#"{"eventName"#)).collect();
                assert_eq!(kept, [A, B, A], "{lines} times {opening}");
                assert!(rejected > 0 && rejected <= lines, "{lines} times {opening}: {rejected}");
            }
        }
    }
}

/// Gives its bytes, then fails, once interrupted before.
struct Failing<'a>(&'a [u8], bool);

impl Read for Failing<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.1, true) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match self.0.read(buf)? {
            0 => Err(io::Error::other("connection reset")),
            read => Ok(read),
        }
    }
}

#[test]
fn an_error_of_the_reader_is_not_taken_for_damaged_data() {
    let record = r#"{"eventName":"A"}"#;
    for input in [record.as_bytes().to_vec(), gzip(record.as_bytes()), gzip(record.as_bytes())[..30].to_vec(), vec![0x1F], vec![]]
    {
        let mut decoder = Decoder::new(Failing(&input, false), Limits::default());
        let error = loop {
            match decoder.next() {
                Ok(Some(Item::Record(_))) => {}
                Ok(other) => panic!("{other:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.to_string(), "connection reset");
    }
}

mod skipped {
    use super::*;

    #[test]
    fn empty_inputs() {
        check("", &[]);
        check("\n \n", &[]);
        check("{}", &["1:1:0 skipped empty"]);
        check("{}\n{ }\n", &["1:1:0 skipped empty", "2:2:3 skipped empty"]);
        check("[{},{}]", &["1:1:1 skipped empty", "2:1:4 skipped empty"]);
        check(gzip(b""), &[]);
    }

    #[test]
    fn what_is_not_an_api_call() {
        for (input, expected) in [
            (r#"{"digestStartTime":"t","logFiles":[{"s3Object":"x"},{"s3Object":"y"}],"x":1}"#, "skipped digest"),
            (r#"{"digestStartTime":"t","logFiles":[]}"#, "skipped digest"),
            (r#"{"digestStartTime":"t"}"#, "skipped digest"),
            (r#"{"eventVersion":"1.08","eventType":"AwsCloudTrailInsight"}"#, "skipped insight"),
            (r#"{"eventName":"X","eventCategory":"Insight"}"#, "skipped insight"),
            (r#"{"eventCategory":"Aggregated","eventId":"x","summary":{}}"#, "skipped aggregated"),
            (r#"{"eventType":"AwsAggregatedEvent"}"#, "skipped aggregated"),
            (r#"{"fileVersion":"1.0","configSnapshotId":"x","configurationItems":[{"a":1}]}"#, "skipped other_service"),
            (r#"{"configSnapshotId":"x"}"#, "skipped other_service"),
            (r#"{"schemaVersion":"2.0","accountId":"1","service":{"serviceName":"guardduty"}}"#, "skipped other_service"),
            (r#"{"timestamp":1,"formatVersion":1,"webaclId":"arn:x","action":"ALLOW"}"#, "skipped other_service"),
            (r#"{"version":"1.1","account_id":"1","query_timestamp":"t","query_name":"x."}"#, "skipped other_service"),
            (r#"{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put"}"#, "skipped not_cloudtrail"),
        ] {
            check(input, &[&format!("1:1:0 {expected}")]);
            let next = format!("2:2:{} {{\"eventName\":\"A\"}}", input.len() + 1);
            check(format!("{input}\n{{\"eventName\":\"A\"}}"), &[&format!("1:1:0 {expected}"), &next]);
        }
        // An event category that happens to be something else is an event.
        assert_eq!(records(br#"{"eventName":"X","eventCategory":"NetworkActivity"}"#).len(), 1);
        assert_eq!(records(br#"{"eventName":"X","schemaVersion":"1"}"#).len(), 1);
    }

    #[test]
    fn text_logs_of_other_services_are_told_by_their_first_line() {
        for line in [
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status",
            "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
            "http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000",
            "h2 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 10.0.1.252:48160 10.0.0.66:9000 0.000",
            "2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200",
            "tls 2.0 2018-12-20T02:59:40 net/my-network-loadbalancer/c6e77e28c25b2234 g3d4b5e8bb8464cd 72.21.218.154:51341",
            "Enable AccessLog for ELB: my-loadbalancer at 2015-05-13T23:39:43.945Z",
            "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 -",
        ] {
            check(format!("{line}\n{line}\n"), &["1:1:0 skipped other_service"]);
            check(line, &["1:1:0 skipped other_service"]);
        }
    }

    #[test]
    fn formats_that_are_not_read_are_named() {
        for (head, name) in [
            (&b"PK\x03\x04rest"[..], "zip"),
            (b"PAR1rest", "Parquet"),
            (b"\x28\xB5\x2F\xFDrest", "zstd"),
            (b"BZh91AY", "bzip2"),
            (b"\xFD7zXZ\0", "xz"),
            (b"\xFF\xFE{\0", "UTF-16"),
            (b"\xFE\xFF\0{", "UTF-16"),
        ] {
            check(head, &["1:1:0 rejected unsupported_format"]);
            let mut decoder = Decoder::new(head, Limits::default());
            match decoder.next().expect("reads from memory") {
                Some(Item::Rejected(reject)) => assert!(reject.reason.to_string().contains(name), "{}", reject.reason),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn real_shapes_decode() {
    for (file, expected) in [
        ("log-file.json", "22 records"),
        ("log-file.json.gz", "22 records"),
        ("log-file-two-gzip-members.json.gz", "22 records"),
        ("records.json", "4 records"),
        ("eventbridge-cloudsearch.json", "1 records"),
        ("eventbridge-create-bucket.json", "1 records"),
        ("eventbridge-transit-gateway-delete-vpc-attachment.json", "1 records"),
        ("eventbridge.jsonl", "3 records"),
        ("lookup-events.jsonl", "6 records"),
        ("lookup-events.json", "6 records"),
        ("cloudwatch-logs-subscription.json", "4 records"),
        ("cloudwatch-logs-subscription.json.gz", "4 records"),
        ("insight-file.json", "1 skipped insight"),
        ("digest-file.json", "1 skipped digest"),
        ("notifications/eventbridge-object-created.json", "1 skipped not_cloudtrail"),
        ("notifications/eventbridge-object-deleted.json", "1 skipped not_cloudtrail"),
        ("notifications/s3-event-object-created.json", "1 skipped not_cloudtrail"),
        ("notifications/s3-event-urlencoded-key.json", "1 skipped not_cloudtrail"),
    ] {
        assert_eq!(count(&testdata("formats").join(file)), expected, "{file}");
    }
}

#[test]
fn every_real_record_decodes_to_itself() {
    let text = std::fs::read_to_string(testdata("real-cloudtrail.jsonl")).expect("test data");
    assert!(found(text.as_bytes()).iter().eq(text.lines()));
    for line in text.lines() {
        let mut canonical = Vec::new();
        Value::parse(line.as_bytes()).canonical_into(&mut canonical);
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value, serde_json::from_slice::<serde_json::Value>(&canonical).expect("JSON"));
        assert_eq!(value, serde_json::from_slice::<serde_json::Value>(&minify(line.as_bytes())).expect("JSON"));
    }
}

/// White space between tokens; without line ends for records on lines of their own.
fn space(line_ends: bool) -> impl Strategy<Value = &'static str> {
    let line_end = if line_ends { "\n  " } else { " " };
    prop_oneof![6 => Just(""), 2 => Just(" "), 1 => Just("\t "), 1 => Just(line_end)]
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9 ,:{}\\[\\]']{0,6}",
        1 => "\\PC{0,3}".prop_map(|text| text.replace(['"', '\\'], "")),
        1 => prop::sample::select(vec!["\\\"", "\\\\", "\\/", "\\n", "\\t", "\\u0000", "\\ud83d\\ude00", "\\ud800", "\\udc00", "\\u00e9"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn value(line_ends: bool) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "12",
            "-1.5e-3",
            "1E+2",
            "0.10",
            "9007199254740993",
            "123456789012345678901234567890",
        ])
        .prop_map(str::to_owned),
        string(),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec((space(line_ends), inner.clone(), space(line_ends)), 0..4).prop_map(|items| {
                let items: Vec<_> = items.into_iter().map(|(before, item, after)| format!("{before}{item}{after}")).collect();
                format!("[{}]", items.join(","))
            }),
            prop::collection::vec((string(), space(line_ends), inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members.into_iter().map(|(name, s, value)| format!("{s}{name}{s}:{s}{value}{s}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// A record: an object that looks like an event.
fn record(line_ends: bool) -> impl Strategy<Value = String> {
    (value(line_ends), value(line_ends), space(line_ends), 0..1000u32).prop_map(|(first, second, s, n)| {
        format!(r#"{{{s}"eventName":{s}"Name{n}",{s}"requestParameters":{first},{s}"resources"{s}:{second}{s}}}"#)
    })
}

fn gzip_in_members(bytes: &[u8], cuts: &[prop::sample::Index]) -> Vec<u8> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).flat_map(|pair| gzip(&bytes[pair[0]..pair[1]])).collect()
}

/// All documents that hold these records, with the name of their shape.
fn documents(records: &[String]) -> Vec<(&'static str, String)> {
    let joined = |separator: &str| records.join(separator);
    let wrapped =
        |wrap: &dyn Fn(&String) -> String, separator: &str| records.iter().map(wrap).collect::<Vec<_>>().join(separator);
    let envelope =
        |record: &String| format!(r#"{{"detail-type":"AWS API Call via CloudTrail","detail": {record} ,"source":"aws.iam"}}"#);
    let row = |record: &String| format!(r#"{{"EventId":"e","CloudTrailEvent":{}}}"#, quoted(record));
    let message = |record: &String| format!(r#"{{"id":"1","message":{},"timestamp":1}}"#, quoted(record));
    vec![
        ("lines", joined("\n")),
        ("lines with CRLF", joined("\r\n") + "\r\n"),
        ("values without a line end", joined("")),
        ("log file", format!(r#"{{"Records":[{}]}}"#, joined(","))),
        ("log file, a record a line", format!("{{\"Records\":[\n{}\n]}}\n", joined(",\n"))),
        (
            "pretty log file",
            format!("{{\n  \"x\" : [ {{ }} ],\n  \"Records\" : [\n    {}\n  ] , \"y\":12\n}}\n", joined(" ,\n    ")),
        ),
        ("array", format!("[{}]", joined(","))),
        ("log files", wrapped(&|record| format!(r#"{{"Records":[{record}]}}"#), "")),
        ("envelopes", wrapped(&envelope, "\n")),
        ("lookup rows", wrapped(&row, "\n")),
        ("lookup answer", format!(r#"{{"Events": [{}],"NextToken":"x"}}"#, wrapped(&row, ","))),
        ("subscription", format!(r#"{{"messageType":"DATA_MESSAGE","logEvents":[{}]}}"#, wrapped(&message, ", "))),
    ]
}

/// Bytes that look enough like input to get past the first of them.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\n", " ", "\n{", "\n[", "12", "-", "1.", "e9", "NaN", "-Infinity", "true", "\"a\"",
            "{\"Records\":[", "{\"Events\":[", "]}", "\"detail\":", "{\"a\":1}", "{\"eventName\":\"A\"}", "\"CloudTrailEvent\":\"{}\"",
            "\"logEvents\":[", "\"message\":", "\u{feff}", "\\ud800", "\r\n", "\0", "{\"logFiles\":[", "{\"a\":[\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
        1 => "[a-z ]{0,80}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    // PROPTEST_CASES=20000 for a long run. What fails becomes a test with a name, not a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_container_gives_back_exactly_its_records(
        records in prop::collection::vec(record(true), 1..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        for (shape, document) in documents(&records) {
            prop_assert_eq!(&found(document.as_bytes()), &records, "{}", shape);
            prop_assert_eq!(&found(&gzip_in_members(document.as_bytes(), &cuts)), &records, "{}, gzip", shape);
        }
    }

    #[test]
    fn the_sizes_of_the_reads_make_no_difference(
        records in prop::collection::vec(record(true), 1..5),
        shape in any::<prop::sample::Index>(),
        garbage in prop::option::of((any::<prop::sample::Index>(), hostile())),
        sizes in prop::collection::vec(1..200usize, 1..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        max_record in prop_oneof![Just(16usize << 20), 1..300usize],
    ) {
        let documents = documents(&records);
        let mut document = documents[shape.index(documents.len())].1.clone().into_bytes();
        if let Some((at, garbage)) = garbage {
            let at = at.index(document.len());
            document.splice(at..at, garbage);
        }
        let limits = Limits { max_record, ..Limits::default() };
        let of = |bytes: &[u8], sizes: &[usize]| items(Trickle { bytes, sizes, reads: 0 }, limits, document.len() + 2);
        let whole = of(&document, &[usize::MAX]);
        prop_assert_eq!(&of(&document, &[1]), &whole);
        prop_assert_eq!(&of(&document, &sizes), &whole);
        let zipped = gzip_in_members(&document, &cuts);
        prop_assert_eq!(&of(&zipped, &[usize::MAX]), &whole);
        prop_assert_eq!(&of(&zipped, &sizes), &whole);
        // Damaged or cut gzip, too, is read up to the same byte.
        let cut = &zipped[..zipped.len() * 2 / 3];
        prop_assert_eq!(of(cut, &[1]), of(cut, &sizes));
    }

    #[test]
    fn pieces_give_what_the_whole_gives(
        records in prop::collection::vec(record(true), 1..8),
        shape in any::<prop::sample::Index>(),
        garbage in prop::collection::vec((any::<prop::sample::Index>(), hostile()), 0..3),
        max_record in prop_oneof![Just(16usize << 20), 1..300usize],
    ) {
        let documents = documents(&records);
        let mut document = documents[shape.index(documents.len())].1.clone().into_bytes();
        for (at, garbage) in garbage {
            let at = at.index(document.len());
            document.splice(at..at, garbage);
        }
        prop_assume!(!document.starts_with(b"\x1F\x8B"));
        let limits = Limits { max_record, ..Limits::default() };
        prop_assert_eq!(items_of_pieces(&document, limits), items(document.as_slice(), limits, document.len() + 2));
    }

    /// Sound gzip is inflated at once, with the same result; everything else is left to the stream.
    #[test]
    fn at_once_gives_what_the_stream_gives(
        records in prop::collection::vec(record(true), 1..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        padding in 0..3usize,
        damage in prop_oneof![
            2 => Just(None),
            1 => (any::<prop::sample::Index>(), prop::option::of(any::<u8>())).prop_map(Some),
        ],
        max_record in prop_oneof![Just(16usize << 20), 1..300usize],
        max_inflated in prop_oneof![Just(16u64 << 30), 0..2000u64],
    ) {
        let limits = Limits { max_record, max_inflated };
        let text = records.join("\n");
        let mut input = gzip_in_members(text.as_bytes(), &cuts);
        input.extend(vec![0; padding]);
        match damage {
            None => {}
            Some((at, None)) => input.truncate(at.index(input.len())),
            Some((at, Some(byte))) => { let at = at.index(input.len()); input[at] = byte; }
        }
        let mut whole = Whole::default();
        // Memory of a larger input makes no difference.
        items_of_whole(&mut whole, gzip(&[b' '; 5000]).as_slice(), Limits::default());
        let stream = items(input.as_slice(), limits, text.len() + 2);
        let at_once = items_of_whole(&mut whole, &input, limits);
        if damage.is_none() && text.len() as u64 <= max_inflated {
            prop_assert!(at_once.is_some());
        }
        if let Some(at_once) = at_once {
            prop_assert_eq!(at_once, stream);
        }
        let plain = items_of_whole(&mut whole, text.as_bytes(), limits).expect("plain");
        prop_assert_eq!(plain, items(text.as_bytes(), limits, text.len() + 2));
    }

    #[test]
    fn corrupt_gzip_is_read_up_to_the_same_byte(
        records in prop::collection::vec(record(true), 1..5),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        sizes in prop::collection::vec(1..200usize, 1..8),
    ) {
        let mut zipped = gzip(records.join("\n").as_bytes());
        let at = at.index(zipped.len());
        zipped[at] = byte;
        let of = |sizes: &[usize]| items(Trickle { bytes: &zipped, sizes, reads: 0 }, Limits::default(), 1 << 16);
        let whole = of(&[usize::MAX]);
        prop_assert_eq!(&of(&[1]), &whole);
        prop_assert_eq!(&of(&sizes), &whole);
    }

    #[test]
    fn breaking_one_record_loses_no_other_on_a_line_of_its_own(
        records in prop::collection::vec(record(false), 2..6),
        broken in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        change in prop_oneof![Just(None), (any::<bool>(), prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\\n ".to_vec())]).prop_map(Some)],
    ) {
        let broken = broken.index(records.len());
        let mut bytes = records[broken].clone().into_bytes();
        let at = at.index(bytes.len());
        match change {
            None => { bytes.remove(at); }
            Some((true, byte)) => bytes.insert(at, byte),
            Some((false, byte)) => bytes[at] = byte,
        }
        prop_assume!(bytes != records[broken].as_bytes());
        let document = |open: &str, separator: &str, close: &str| {
            let mut all: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
            all[broken] = &bytes;
            [open.as_bytes(), &all.join(separator.as_bytes()), close.as_bytes()].concat()
        };
        let others = |document: &[u8]| {
            let mut rest = found(document).into_iter();
            // In order, each of them somewhere.
            records.iter().enumerate().filter(|(n, _)| *n != broken).all(|(_, record)| rest.any(|item| item == *record))
        };
        // Gzip, or BOMs of other encodings: not one broken record, another format.
        let lines = document("", "\n", "\n");
        prop_assume!(!lines.starts_with(b"\x1F\x8B") && !lines.starts_with(b"\xFF\xFE") && !lines.starts_with(b"\xFE\xFF"));
        prop_assert!(others(&lines), "lines: {:?}", found(&lines));
        // `[]` broken to `[{` makes the next line part of a valid record, up to the `]` of the list: then that is cut.
        let log_file = found(&document("{\"Records\":[\n", ",\n", "\n]}\n"));
        let swallowed = |record: &String| {
            log_file.iter().any(|item| item.starts_with('{') && item.contains(record)) && log_file.last().unwrap() == "rejected truncated"
        };
        for (_, record) in records.iter().enumerate().filter(|(n, _)| *n != broken) {
            prop_assert!(log_file.contains(record) || swallowed(record), "a record a line: {log_file:?}");
        }
        // Without line ends only what stands before is sure.
        let packed = found(&document(r#"{"Records":["#, ",", "]}"));
        prop_assert!(packed.len() > broken, "something is said of the broken record");
        prop_assert_eq!(&packed[..broken], &records[..broken]);
    }

    #[test]
    fn arbitrary_bytes_end_in_few_items(bytes in hostile(), max_record in 1..200usize, zipped in any::<bool>()) {
        let limits = Limits { max_record, max_inflated: 1 << 16 };
        let input = if zipped { stored(&bytes) } else { bytes.clone() };
        let whole = items(input.as_slice(), limits, bytes.len() + 2);
        prop_assert_eq!(items(Trickle { bytes: &input, sizes: &[1, 3], reads: 0 }, limits, bytes.len() + 2), whole);
    }

    #[test]
    fn the_scanner_agrees_with_serde_json(
        text in prop_oneof![value(true).prop_map(String::into_bytes), hostile()],
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut text = text;
        if let Some((at, byte)) = damage && !text.is_empty() {
            let at = at.index(text.len());
            text[at] = byte;
        }
        let ours = scan(&text, 0, &mut Ignore);
        let theirs = serde_json::from_slice::<&serde_json::value::RawValue>(&text);
        let valid = matches!(ours, Ok(Scanned::End(end)) if text[end..].iter().all(|byte| b" \n\r\t".contains(byte)));
        let stricter = matches!(ours, Err(ScanError::Invalid { why: Syntax::Overflow | Syntax::IntegerTooLong, .. }));
        prop_assert!(valid == theirs.is_ok() || stricter, "ours {ours:?}, theirs {theirs:?}");
        if !valid {
            return Ok(());
        }
        let value = Value::parse(&text);
        let mut canonical = Vec::new();
        value.canonical_into(&mut canonical);
        let minified = minify(&text);
        prop_assert_eq!(Value::parse(&minified), value);
        let space_outside_strings = |json: &[u8]| minify(json).len() != json.len();
        prop_assert!(!space_outside_strings(&minified) && !space_outside_strings(&canonical));
        // serde_json knows no lone surrogates.
        if let Ok(before) = serde_json::from_slice::<serde_json::Value>(&text) {
            let after: serde_json::Value = serde_json::from_slice(&canonical).expect("canonical JSON");
            prop_assert!(same(&before, &after), "{before} became {after}");
            prop_assert_eq!(&before, &serde_json::from_slice::<serde_json::Value>(&minified).expect("minified JSON"));
        }
    }
}

/// Equal, numbers by the double they stand for: the canonical form of 1e2 is 100, and of -0 is 0.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (a, b) {
        // serde_json rounds the last digit differently from one notation to another.
        (Number(a), Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= a.abs() * 1e-15 + f64::MIN_POSITIVE,
            _ => false,
        },
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Object(a), Object(b)) => a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b))),
        (a, b) => a == b,
    }
}

/// The bytes of every reject.
fn rejected(decoder: &mut Decoder<impl Read>) -> Vec<String> {
    let mut bytes = Vec::new();
    while let Some(item) = decoder.next().expect("reads from memory") {
        if let Item::Rejected(reject) = item {
            bytes.push(String::from_utf8_lossy(&reject.bytes).into_owned());
        }
    }
    bytes
}

#[test]
fn the_bytes_of_a_reject_are_kept_however_they_are_read() {
    let limits = Limits { max_record: 64, ..Limits::default() };
    let long = format!("{{\"eventName\":\"{}\"}}", "x".repeat(200));
    let input = format!("no json\n{long}\n{{\"eventName\":\"A\"}}\n[1,{{\"eventName\":}},2]\n{{\"eventName\":\"cut");
    let at_once = rejected(&mut Decoder::new(input.as_bytes(), limits));
    let starts: Vec<&str> = at_once.iter().map(|bytes| &bytes[..bytes.len().min(12)]).collect();
    assert_eq!(starts, ["no json", "{\"eventName\"", "1", "{\"eventName\"", "2", "{\"eventName\""]);
    assert_eq!(at_once[1], long);
    for size in [1, 3, 17, 100] {
        let trickle = Trickle { bytes: input.as_bytes(), sizes: &[size], reads: 0 };
        assert_eq!(rejected(&mut Decoder::new(trickle, limits)), at_once, "{size} bytes at a time");
    }
    let huge = format!("{}\n", "y".repeat(100_000));
    assert_eq!(rejected(&mut Decoder::new(huge.as_bytes(), Limits::default()))[0].len(), 64 << 10, "and no more than that");
}
