use testudo_core::source::*;
use testudo_core::workflow::*;
fn main() {
    for f in std::env::args().skip(1) {
        let sources = Sources::new([SourceFile::new(f.as_str(), std::fs::read_to_string(&f).unwrap())]);
        let (docs, found) = load(&sources, Reading { upto: Layer::Text, lenient: false });
        println!("{f} docs {}", docs.iter().count());
        for f in &found {
            let f = sources.finding(f);
            println!(
                "      {}:{} {:?} {} {} | {} | {}",
                f.line.unwrap_or(0),
                f.column.unwrap_or(0),
                f.severity,
                f.code,
                f.path,
                f.message,
                f.help.unwrap_or_default()
            );
        }
    }
}
