//! The agent alone, as it rides into pods: static, small, and in need of nothing but a kernel.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(u8::try_from(testudo_agent::pod::main()).unwrap_or(1))
}
