//! What testudo may do in a namespace: one table, which [`yaml`] prints and [`crate::doctor`] checks.

/// Something that has to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// The API group; that of Kubernetes' own first objects has no name.
    pub group: &'static str,
    /// The kind of object, or one with what hangs below it.
    pub resource: &'static str,
    pub verbs: &'static [&'static str],
    /// What it is needed for.
    pub why: &'static str,
}

/// The least that works, for everything that testudo does in a namespace.
pub const RIGHTS: &[Right] = &[
    Right {
        group: "batch",
        resource: "jobs",
        verbs: &["list", "watch", "create", "patch", "delete", "deletecollection"],
        why: "each unit is a Job, made by server-side apply",
    },
    Right {
        group: "",
        resource: "pods",
        verbs: &["list", "watch", "delete", "deletecollection"],
        why: "where units are and what holds them up; those that have to end at once are deleted",
    },
    Right {
        group: "",
        resource: "pods/portforward",
        verbs: &["get", "create"],
        why: "the way to an agent from outside the cluster; either verb, by the version of the server",
    },
    Right {
        group: "",
        resource: "secrets",
        verbs: &["create", "patch"],
        why: "the keys of a unit, written and never read back",
    },
    Right {
        group: "",
        resource: "persistentvolumeclaims",
        verbs: &["create", "patch"],
        why: "the claims of `pvcs`, made for the run",
    },
    Right { group: "", resource: "events", verbs: &["list"], why: "why a pod could not be made or does not start" },
];

/// The name of the Role, and of the account unless another is asked for.
pub const ACCOUNT: &str = "testudo";

/// The objects that give an account of a namespace these rights, as YAML.
pub fn yaml(namespace: &str, account: &str) -> String {
    let mut text = format!(
        "apiVersion: v1
kind: ServiceAccount
metadata:
  name: {account}
  namespace: {namespace}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {ACCOUNT}
  namespace: {namespace}
rules:
"
    );
    for Right { group, resource, verbs, why } in RIGHTS {
        let verbs = verbs.join(", ");
        text +=
            &format!("  # {why}\n  - apiGroups: [\"{group}\"]\n    resources: [{resource}]\n    verbs: [{verbs}]\n");
    }
    text += &format!(
        "---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {account}
  namespace: {namespace}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {ACCOUNT}
subjects:
  - kind: ServiceAccount
    name: {account}
    namespace: {namespace}
"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_says_what_each_right_is_for() {
        insta::assert_snapshot!(yaml("tests", "ci"));
    }

    #[test]
    fn no_right_reads_secrets_or_reaches_into_pods() {
        let secrets = RIGHTS.iter().filter(|right| right.resource == "secrets").flat_map(|right| right.verbs);
        assert!(secrets.into_iter().all(|verb| matches!(*verb, "create" | "patch")));
        assert!(RIGHTS.iter().all(|right| !matches!(right.resource, "pods/exec" | "pods/attach")));
    }
}
