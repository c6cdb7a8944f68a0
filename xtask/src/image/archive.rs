//! The OCI layout in one tar file, as `ctr images import`, `podman load`, `docker load` and `skopeo` read it.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use flate2::{Compression, GzBuilder};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::tree::Tree;

/// How a container of the image starts when nobody says otherwise.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) user: Option<String>,
    pub(super) environment: Vec<String>,
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
}

pub(super) struct Layer {
    /// Of the bytes before they were compressed.
    plain: String,
    size: usize,
    blob: Blob,
}

struct Blob {
    kind: &'static str,
    digest: String,
    bytes: Vec<u8>,
}

impl Layer {
    pub(super) fn new(tree: &Tree) -> anyhow::Result<Self> {
        let bytes = tree.tar()?;
        let mut packer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
        packer.write_all(&bytes)?;
        let blob = Blob::new("application/vnd.oci.image.layer.v1.tar+gzip", packer.finish()?);
        Ok(Layer { plain: sha256(&bytes), size: bytes.len(), blob })
    }

    pub(super) fn digest(&self) -> &str {
        &self.blob.digest[..12]
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn packed(&self) -> usize {
        self.blob.bytes.len()
    }
}

impl Blob {
    fn new(kind: &'static str, bytes: Vec<u8>) -> Self {
        Blob { kind, digest: sha256(&bytes), bytes }
    }

    fn of_json(kind: &'static str, json: &Json) -> Self {
        Blob::new(kind, json.to_string().into_bytes())
    }

    fn descriptor(&self) -> Json {
        json!({
            "mediaType": self.kind,
            "digest": format!("sha256:{}", self.digest),
            "size": self.bytes.len(),
        })
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn write(out: &Path, names: &[String], settings: &Settings, layers: &[Layer]) -> anyhow::Result<()> {
    let Settings { user, environment, entrypoint, command } = settings;
    let mut config = json!({"Env": environment, "WorkingDir": "/"});
    let lists = [("Entrypoint", entrypoint), ("Cmd", command)];
    lists.iter().filter(|(_, words)| !words.is_empty()).for_each(|(key, words)| config[key] = json!(words));
    if let Some(user) = user {
        config["User"] = json!(user);
    }
    let config = Blob::of_json(
        "application/vnd.oci.image.config.v1+json",
        &json!({
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": config,
            "rootfs": {
                "type": "layers",
                "diff_ids": layers.iter().map(|layer| format!("sha256:{}", layer.plain)).collect::<Vec<_>>(),
            },
        }),
    );
    let manifest = Blob::of_json(
        "application/vnd.oci.image.manifest.v1+json",
        &json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.descriptor(),
            "layers": layers.iter().map(|layer| layer.blob.descriptor()).collect::<Vec<_>>(),
        }),
    );
    // containerd wants the whole name, and the others the tag.
    let named = |name: &String| {
        let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let mut entry = manifest.descriptor();
        entry["platform"] = json!({"architecture": "amd64", "os": "linux"});
        entry["annotations"] = json!({"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag});
        entry
    };
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": names.iter().map(named).collect::<Vec<_>>(),
    });

    let mut archive = Builder::new(Vec::new());
    let mut add = |path: &str, bytes: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, bytes)
    };
    add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    add("index.json", index.to_string().as_bytes())?;
    let blobs = layers.iter().map(|layer| &layer.blob).chain([&config, &manifest]);
    let mut blobs: Vec<&Blob> = blobs.collect();
    blobs.sort_by_key(|blob| &blob.digest);
    blobs.dedup_by_key(|blob| &blob.digest);
    for blob in blobs {
        add(&format!("blobs/sha256/{}", blob.digest), &blob.bytes)?;
    }
    fs::write(out, archive.into_inner()?).with_context(|| format!("writing {}", out.display()))
}
