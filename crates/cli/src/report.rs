pub(crate) fn render(_: &testudo_core::run::Execution, _: crate::args::Format) -> anyhow::Result<String> { anyhow::bail!("not here") }
