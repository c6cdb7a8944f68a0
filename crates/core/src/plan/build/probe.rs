//! Readiness probes in their typed form.

use super::Builder;
use crate::{
    plan::{Probe, ProbeAction, parts::texts},
    source::{Diagnostic, Node},
};

impl Builder<'_> {
    pub(super) fn probe(&mut self, node: &Node) -> Option<Probe> {
        let number = |node: &Node, field: &str| {
            node.get(field).and_then(Node::scalar_text).and_then(|text| text.parse::<u64>().ok())
        };
        let port = |action: &Node| number(action, "port").and_then(|port| u16::try_from(port).ok());
        let host = |action: &Node| action.get_str("host").filter(|host| !host.is_empty()).map(str::to_owned);
        let mut no_port = |action: &Node| {
            let written = action.get("port").and_then(Node::scalar_text).unwrap_or_default();
            // Text that a run has to complete is judged then.
            if !written.contains("{{") {
                self.problems.push(
                    Diagnostic::error("probe-port", format!("`port: {written}` is no port number"))
                        .at(action.span)
                        .help("write a number between 1 and 65535"),
                );
            }
        };
        let action = if let Some(exec) = node.get("exec") {
            ProbeAction::Exec { command: texts(exec, "command") }
        } else if let Some(http) = node.get("httpGet") {
            let Some(port) = port(http) else {
                no_port(http);
                return None;
            };
            let headers = http
                .get_items("httpHeaders")
                .iter()
                .filter_map(|header| Some((header.get_str("name")?.to_owned(), header.get_str("value")?.to_owned())))
                .collect();
            ProbeAction::HttpGet {
                host: host(http),
                port,
                path: http.get_str("path").unwrap_or("/").to_owned(),
                headers,
                tls: http.get_str("scheme").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
            }
        } else if let Some(tcp) = node.get("tcpSocket") {
            let Some(port) = port(tcp) else {
                no_port(tcp);
                return None;
            };
            ProbeAction::TcpSocket { host: host(tcp), port }
        } else if let Some(grpc) = node.get("grpc") {
            let Some(port) = port(grpc) else {
                no_port(grpc);
                return None;
            };
            ProbeAction::Grpc { port, service: grpc.get_str("service").unwrap_or_default().to_owned() }
        } else {
            return None;
        };
        let count = |field: &str, default: u32| {
            number(node, field).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(default)
        };
        Some(Probe {
            action,
            initial_delay: number(node, "initialDelaySeconds").unwrap_or(0),
            period: u64::from(count("periodSeconds", 10)),
            timeout: u64::from(count("timeoutSeconds", 1)),
            success_threshold: count("successThreshold", 1),
            failure_threshold: count("failureThreshold", 3),
        })
    }
}
