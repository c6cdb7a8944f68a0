//! Bytes to text. What a file says of its encoding is a hint: tools write declarations that they do not keep.

/// A file's text, and what of it could not be read.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) lost: Vec<String>,
}

/// Windows-1252 from 0x80 to 0x9F, where it differs from Latin-1. Whoever declares Latin-1 means this.
const WINDOWS: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ";

pub(super) fn decode(bytes: &[u8]) -> Decoded {
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => single(rest),
        [0xFF, 0xFE, rest @ ..] => double(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => double(rest, u16::from_be_bytes),
        [b'<', 0, ..] => double(bytes, u16::from_le_bytes),
        [0, b'<', ..] => double(bytes, u16::from_be_bytes),
        _ => single(bytes),
    }
}

fn double(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Decoded {
    let mut lost = Vec::new();
    let pairs = bytes.chunks_exact(2);
    let odd = pairs.remainder().len();
    let units = pairs.map(|pair| unit([pair[0], pair[1]]));
    let mut broken = odd;
    let text = char::decode_utf16(units)
        .map(|read| {
            read.unwrap_or_else(|_| {
                broken += 1;
                char::REPLACEMENT_CHARACTER
            })
        })
        .collect();
    if broken > 0 {
        lost.push(format!("{} not valid UTF-16", places(broken)));
    }
    Decoded { text, lost }
}

/// One byte a character, or UTF-8. Text in another encoding is hardly ever valid UTF-8 by chance, so that comes first.
fn single(bytes: &[u8]) -> Decoded {
    let (mut text, mut lost) = (String::new(), Vec::new());
    match (std::str::from_utf8(bytes), declared(bytes)) {
        (Ok(whole), _) => whole.clone_into(&mut text),
        (Err(_), Declared::Latin) => text = bytes.iter().map(|byte| latin(*byte)).collect(),
        (Err(_), Declared::Utf) => {
            let mut broken = 0;
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                if !chunk.invalid().is_empty() {
                    broken += 1;
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
            lost.push(format!("{} not valid UTF-8", places(broken)));
        }
        (Err(_), Declared::Other(name)) => {
            text = String::from_utf8_lossy(bytes).into_owned();
            lost.push(format!("the encoding `{name}` is not known here: only its ASCII characters were read"));
        }
    }
    Decoded { text, lost }
}

fn places(count: usize) -> String {
    if count == 1 { "1 place is".to_owned() } else { format!("{count} places are") }
}

fn latin(byte: u8) -> char {
    match byte {
        0x80..=0x9F => WINDOWS.chars().nth(usize::from(byte - 0x80)).unwrap_or(char::REPLACEMENT_CHARACTER),
        _ => char::from(byte),
    }
}

enum Declared {
    Utf,
    Latin,
    Other(String),
}

/// The encoding that an XML declaration names.
fn declared(bytes: &[u8]) -> Declared {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]).to_ascii_lowercase();
    let name = head
        .split_once("<?xml")
        .and_then(|(_, rest)| rest.split_once("?>"))
        .and_then(|(declaration, _)| declaration.split_once("encoding"))
        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(1));
    match name.map(str::trim) {
        None | Some("utf-8" | "utf8" | "utf-16" | "") => Declared::Utf,
        Some(
            "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "windows-1252" | "cp1252" | "us-ascii"
            | "ascii",
        ) => Declared::Latin,
        Some(other) => Declared::Other(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    fn decoded(bytes: &[u8]) -> (String, usize) {
        let decoded = decode(bytes);
        (decoded.text, decoded.lost.len())
    }

    #[test]
    fn a_declared_latin_1_is_read_as_windows_1252() {
        let (text, lost) = decoded(b"<?xml version='1.0' encoding='ISO-8859-1'?><a b='caf\xE9 \x80'/>");
        assert!(text.ends_with("<a b='café €'/>"));
        assert_eq!(lost, 0);
    }

    #[test]
    fn a_declaration_that_the_bytes_contradict_is_not_believed() {
        let (text, lost) = decoded("<?xml version='1.0' encoding='ISO-8859-1'?><a b='café'/>".as_bytes());
        assert!(text.ends_with("'café'/>"));
        assert_eq!(lost, 0);
        assert_eq!(decoded(b"<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>").1, 0);
    }

    #[test]
    fn utf_16_is_known_by_its_mark_or_its_first_character() {
        let little: Vec<u8> = "<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "<a>é</a>".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
        for bytes in [marked(b"\xFF\xFE", &little), marked(b"\xFE\xFF", &big), little, big] {
            assert_eq!(decoded(&bytes), ("<a>é</a>".to_owned(), 0));
        }
    }

    #[test]
    fn what_is_no_character_is_counted() {
        let (text, lost) = decoded(b"<a>caf\xE9 and \xFF</a>");
        assert_eq!(text, "<a>caf\u{FFFD} and \u{FFFD}</a>");
        assert_eq!(lost, 1);
        assert_eq!(decoded(b"\xFF\xFE<").1, 1);
    }
}
