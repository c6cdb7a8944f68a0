//! `testudo kube`: what there is to do about a cluster apart from runs.

use testudo_kube::{default_namespace, rights};

use crate::{args::RbacArgs, exit};

/// `testudo kube rbac`.
pub(crate) fn rbac(args: &RbacArgs) -> anyhow::Result<u8> {
    let namespace = match &args.namespace {
        Some(namespace) => namespace.clone(),
        None => runtime()?.block_on(default_namespace()).unwrap_or_else(|| "default".to_owned()),
    };
    print!("{}", rights::yaml(&namespace, &args.service_account));
    Ok(exit::PASSED)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
