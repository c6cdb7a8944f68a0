//! What an agent finds where it was put: a machine of which it made itself a unit, or a container of a pod.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use serde::{Deserialize, Serialize};
use testudo_core::{
    plan::{Layout, UnitPlan, source_name},
    run::Status,
};

use crate::sys::Caller;

/// What commands start from that say nothing else.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) dir: PathBuf,
    /// In another container, whose directories can only be made there.
    pub(crate) is_elsewhere: bool,
    /// What the cluster says of the container, by the number of the source in the plan.
    #[serde(skip)]
    pub(crate) sources: BTreeMap<usize, String>,
}

/// What surrounds an agent.
#[derive(Debug)]
pub(crate) struct Habitat {
    /// How commands get their rights.
    pub(crate) caller: Caller,
    pub(crate) place: Rc<Place>,
    /// Values of references that the place itself puts here, by the names that [`reference`] and [`references`] give.
    pub(crate) native: BTreeMap<String, String>,
    /// What commands write is also written to the agent's own output.
    pub(crate) echo: bool,
    /// Whoever runs the place ends units with a signal.
    pub(crate) ends_by_signal: bool,
    /// How the containers of the unit follow one another.
    pub(crate) layout: Layout,
    /// Where the end is written for whoever runs the place.
    pub(crate) epitaph: Option<PathBuf>,
}

/// Prefix of what is not for commands.
const OWN: &str = "TESTUDO_";

/// The variable that holds the value of a unit's n-th reference.
pub fn reference(number: usize) -> String {
    format!("{OWN}REF_{number}")
}

/// Prefix of the variables that hold all values of a unit's n-th reference.
pub fn references(number: usize) -> String {
    format!("{OWN}ALL_{number}_")
}

impl Habitat {
    /// A unit of this machine: nothing comes of itself.
    pub(crate) fn machine(caller: Caller) -> Self {
        Habitat {
            caller,
            place: Rc::new(Place {
                env: BTreeMap::new(),
                dir: PathBuf::from("/"),
                is_elsewhere: false,
                sources: BTreeMap::new(),
            }),
            native: BTreeMap::new(),
            echo: false,
            ends_by_signal: false,
            layout: Layout::Together,
            epitaph: None,
        }
    }

    /// A container: its image has an environment and a directory, its pod has values.
    pub(crate) fn container(
        vars: impl Iterator<Item = (String, String)>,
        dir: PathBuf,
        epitaph: &Path,
        layout: Layout,
    ) -> Self {
        let (native, env) = vars.partition(|(name, _)| name.starts_with(OWN));
        Habitat {
            caller: Caller::Container,
            place: Rc::new(Place { env, dir, is_elsewhere: false, sources: BTreeMap::new() }),
            native,
            echo: true,
            ends_by_signal: true,
            layout,
            epitaph: Some(epitaph.to_owned()),
        }
    }

    /// The values of a plan's references that stand here, by their paths.
    pub(crate) fn values(&self, plan: &UnitPlan) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for (number, one) in plan.references.iter().enumerate() {
            let path = one.path();
            if one.key.is_some() {
                values.extend(self.native.get(&reference(number)).map(|value| (path, value.clone())));
            } else {
                let prefix = references(number);
                let path = path.trim_end_matches('*');
                let all = self.native.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(&prefix));
                values.extend(all.map(|(name, value)| (format!("{path}{}", &name[prefix.len()..]), value.clone())));
            }
        }
        values
    }

    /// What the place says of a container, by the number of the source in the plan.
    pub(crate) fn sources(&self, plan: &UnitPlan, container: usize) -> BTreeMap<usize, String> {
        let value = |number| self.native.get(&source_name(container, number)).cloned();
        (0..plan.sources.len()).filter_map(|number| Some((number, value(number)?))).collect()
    }

    /// Says how it ended where whoever runs the place looks for it.
    pub(crate) fn write_epitaph(&self, status: Status) {
        if let Some(path) = &self.epitaph {
            // A place without one has other ways to know.
            let _ = fs::write(path, status.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use testudo_core::plan::{Reference, ReferenceKind};

    use super::*;

    #[test]
    fn values_of_the_place_stand_under_their_paths_and_are_not_for_commands() {
        let vars = [
            ("PATH", "/bin"),
            ("TESTUDO_UNIT", "main"),
            ("TESTUDO_REF_0", "s3cret"),
            ("TESTUDO_ALL_1_USER", "me"),
            ("TESTUDO_ALL_1_PORT", "1"),
            ("TESTUDO_ALL_10_X", "of another"),
        ];
        let vars = vars.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let habitat = Habitat::container(vars, "/work".into(), Path::new("/dev/null"), Layout::Together);
        assert_eq!(habitat.place.env.keys().collect::<Vec<_>>(), ["PATH"]);
        let reference = |kind, key: Option<&str>| Reference {
            kind,
            name: "db".to_owned(),
            key: key.map(str::to_owned),
            optional: false,
        };
        let mut plan: UnitPlan = serde_json::from_str(r#"{"role": "main", "steps": []}"#).unwrap();
        plan.references =
            vec![reference(ReferenceKind::Secret, Some("password")), reference(ReferenceKind::ConfigMap, None)];
        let values: Vec<_> = habitat.values(&plan).into_iter().map(|(path, value)| format!("{path}={value}")).collect();
        assert_eq!(values, ["configMap/db/PORT=1", "configMap/db/USER=me", "secret/db/password=s3cret"]);
    }
}
