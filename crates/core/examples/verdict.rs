use testudo_core::source::*;
use testudo_core::workflow::*;
fn main() {
    for dir in ["docs", "testkube"] {
        let index = std::fs::read_to_string(format!("tests/corpus/{dir}/index.jsonl")).unwrap();
        for line in index.lines() {
            let v: serde_json::Value = serde_json::from_str(line).unwrap();
            let file = v["file"].as_str().unwrap();
            let want = v["valid"].as_bool().unwrap() && v["deep_valid"].as_bool().unwrap();
            let text = std::fs::read_to_string(format!("tests/corpus/{dir}/{file}")).unwrap();
            let sources = Sources::new([SourceFile::new(file, text)]);
            let (docs, found) = load(&sources, Reading { upto: Layer::Shape, lenient: false });
            let ok = !found.iter().any(|f| f.is_error());
            if ok != want || !found.is_empty() {
                println!(
                    "{} {file} want {want} got {ok} docs {}",
                    if ok == want { "  " } else { "!!" },
                    docs.iter().count()
                );
                for f in &found {
                    let f = sources.finding(f);
                    println!(
                        "      {}:{} {:?} {} | {} | {}",
                        f.line.unwrap_or(0),
                        f.column.unwrap_or(0),
                        f.severity,
                        f.path,
                        f.message,
                        f.help.unwrap_or_default()
                    );
                }
            }
        }
    }
}
