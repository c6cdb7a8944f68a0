//! A plan, before anything runs.

use testudo_core::plan::Plan;

use crate::args::Output;

pub(crate) fn show(plan: &Plan, output: Output) -> anyhow::Result<()> {
    match output {
        Output::Json => println!("{}", serde_json::to_string(plan)?),
        Output::Pretty => {
            for step in &plan.main.steps {
                println!("{} {}", step.r#ref, step.label());
            }
        }
    }
    Ok(())
}
