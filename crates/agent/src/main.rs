//! The agent alone, as it rides into pods: static, small, and in need of nothing but a kernel.

fn main() {
    if std::env::args().nth(1).as_deref() == Some(testudo_agent::jq::HELPER_ARGUMENT) {
        testudo_agent::jq::helper_main();
    }
    std::process::exit(testudo_agent::start::main())
}
