//! Images made of a few files, with nothing below them: no registry, no build, the id known beforehand.

use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fs, io, path::Path};

/// The label that says which files an image holds; engines that keep images by other digests still show it.
pub const LAYER_LABEL: &str = "firedrill.layer";

/// An image as `docker load` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `sha256:...` of its configuration; what the classic image store calls it.
    pub id: String,
    /// `sha256:...` of its only layer.
    pub layer: String,
    /// The archive.
    pub archive: Vec<u8>,
}

/// What an image holds besides its files.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// `name:version`.
    pub tag: String,
    /// The program and its first arguments; empty: none.
    pub entrypoint: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it lies in the image, without the leading slash.
    pub path: String,
    /// What it holds.
    pub content: Vec<u8>,
}

#[derive(Serialize)]
struct Config<'a> {
    architecture: &'a str,
    os: &'a str,
    created: &'a str,
    config: Runtime<'a>,
    rootfs: RootFs<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Runtime<'a> {
    entrypoint: &'a [String],
    env: &'a [String],
    labels: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct RootFs<'a> {
    r#type: &'a str,
    diff_ids: [&'a str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest<'a> {
    config: &'a str,
    repo_tags: [&'a str; 1],
    layers: [&'a str; 1],
}

/// Packs files, all of them executable and owned by root, into an image.
///
/// # Errors
/// Those of writing to memory: a path that no archive can hold.
pub fn pack(recipe: &Recipe, files: &[File]) -> io::Result<Image> {
    let layer_tar = layer_archive(files)?;
    let layer = digest(&layer_tar);
    let config = json(&configuration(recipe, &layer))?;
    let id = digest(&config);
    let config_name = format!("{}.json", hex_part(&id));
    let layer_name = format!("{}/layer.tar", hex_part(&layer));
    let manifest = json(&[Manifest { config: &config_name, repo_tags: [&recipe.tag], layers: [&layer_name] }])?;
    let archive = archive([
        (config_name.as_str(), config.as_slice(), 0o644),
        (layer_name.as_str(), layer_tar.as_slice(), 0o644),
        ("manifest.json", manifest.as_slice(), 0o644),
    ])?;
    Ok(Image { id, layer, archive })
}

/// The digest that the layer of an image of these files has (`sha256:...`).
///
/// # Errors
/// As of [`pack`].
pub fn layer(files: &[File]) -> io::Result<String> {
    Ok(digest(&layer_archive(files)?))
}

fn layer_archive(files: &[File]) -> io::Result<Vec<u8>> {
    archive(files.iter().map(|file| (file.path.as_str(), file.content.as_slice(), 0o755)))
}

fn configuration<'a>(recipe: &'a Recipe, layer: &'a str) -> Config<'a> {
    let mut labels: BTreeMap<&str, &str> = recipe.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    labels.insert(LAYER_LABEL, layer);
    Config {
        architecture: architecture(),
        os: "linux",
        created: "1970-01-01T00:00:00Z",
        config: Runtime { entrypoint: &recipe.entrypoint, env: &recipe.env, labels },
        rootfs: RootFs { r#type: "layers", diff_ids: [layer] },
    }
}

/// As Docker names it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The same bytes for the same files: no times, no owners.
fn archive<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8], u32)>) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        builder.append_data(&mut header, path, content)?;
    }
    builder.into_inner()
}

fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(io::Error::other)
}

fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn hex_part(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}

/// A program as it stands on this host, with the loader and libraries that it needs if it is not static.
///
/// # Errors
/// Those of reading the files.
pub fn program(binary: &Path, path: &str) -> io::Result<Vec<File>> {
    let content = fs::read(binary)?;
    let loader = interpreter(&content);
    let mut files = vec![File { path: path.into(), content }];
    if let Some(loader) = loader {
        files.push(File { path: loader.trim_start_matches('/').into(), content: fs::read(&loader)? });
        files.extend(mapped_libraries(&loader)?);
    }
    Ok(files)
}

/// The directories of the libraries in an image, for `LD_LIBRARY_PATH`; `None` for a static program.
pub fn library_path(files: &[File]) -> Option<String> {
    let libraries = files.iter().skip(2).filter_map(|file| Path::new(&file.path).parent());
    let mut dirs: Vec<String> = libraries.map(|dir| format!("/{}", dir.display())).collect();
    dirs.sort();
    dirs.dedup();
    (!dirs.is_empty()).then(|| dirs.join(":"))
}

/// The loader that an ELF program asks for (its `PT_INTERP`); `None` if it is static or not ELF.
pub fn interpreter(elf: &[u8]) -> Option<String> {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, len: usize| {
        let bytes = elf.get(at..at + len)?;
        Some(bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte)) as usize)
    };
    // 64-bit little-endian, which is all that Linux containers run on here.
    if elf.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (headers, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let header = (0..count).map(|i| headers + i * size).find(|at| number(*at, 4) == Some(PT_INTERP as usize))?;
    let (offset, length) = (number(header + 8, 8)?, number(header + 32, 8)?);
    let text = elf.get(offset..offset.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
}

/// The mark that a linker gives every build of its own (a GNU build id), in hexadecimal digits; `None` if there is
/// none in this beginning of an ELF program.
pub fn build_id(elf: &[u8]) -> Option<String> {
    const PT_NOTE: usize = 4;
    const NT_GNU_BUILD_ID: usize = 3;
    let number = |at: usize, len: usize| {
        let bytes = elf.get(at..at.checked_add(len)?)?;
        Some(bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte)) as usize)
    };
    if elf.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (headers, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for header in (0..count).map(|i| headers + i * size).filter(|at| number(*at, 4) == Some(PT_NOTE)) {
        let (mut at, length) = (number(header + 8, 8)?, number(header + 32, 8)?);
        let end = at.checked_add(length)?;
        while at + 12 <= end {
            let (name, text, kind) = (number(at, 4)?, number(at + 4, 4)?, number(at + 8, 4)?);
            let body = at + 12 + name.next_multiple_of(4);
            if kind == NT_GNU_BUILD_ID && elf.get(at + 12..at + 16)? == b"GNU\0" {
                return Some(
                    elf.get(body..body.checked_add(text)?)?.iter().map(|byte| format!("{byte:02x}")).collect(),
                );
            }
            at = body + text.next_multiple_of(4);
        }
    }
    None
}

/// The libraries of this very process: those that its program, which is the one being packed, was linked with.
fn mapped_libraries(loader: &str) -> io::Result<Vec<File>> {
    let real_loader = fs::canonicalize(loader)?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mut paths: Vec<&str> = maps.lines().filter_map(|line| Some(&line[line.find('/')?..])).collect();
    paths.retain(|path| path.contains(".so") && Path::new(path) != real_loader);
    paths.sort_unstable();
    paths.dedup();
    let file = |path: &str| Ok(File { path: path.trim_start_matches('/').into(), content: fs::read(path)? });
    paths.into_iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Image {
        let recipe = Recipe { tag: "firedrill-test:1".into(), entrypoint: vec!["/a".into()], ..Recipe::default() };
        pack(&recipe, &[File { path: "a".into(), content: b"hello".to_vec() }]).unwrap()
    }

    #[test]
    fn an_image_has_the_same_id_every_time_and_its_manifest_names_its_parts() {
        let image = sample();
        assert_eq!(image, sample());
        let mut archive = tar::Archive::new(image.archive.as_slice());
        let names: Vec<String> =
            archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
        let (config, layer) = (format!("{}.json", &image.id[7..]), format!("{}/layer.tar", &image.layer[7..]));
        assert_eq!(names, [config, layer, "manifest.json".into()]);
    }

    #[test]
    fn a_dynamic_program_is_told_from_a_static_one() {
        let shell = fs::read(fs::canonicalize("/bin/sh").unwrap()).unwrap();
        assert!(interpreter(&shell).is_some_and(|loader| loader.contains("ld-")), "no loader in /bin/sh");
        assert_eq!(interpreter(b"#!/bin/sh\n"), None);
        assert_eq!(interpreter(&shell[..40]), None);
    }

    #[test]
    fn a_build_is_known_by_its_mark() {
        let ourselves = fs::read("/proc/self/exe").unwrap();
        let mark = build_id(&ourselves[..1 << 16]);
        assert!(mark.as_ref().is_none_or(|mark| mark.len() >= 16), "{mark:?}");
        assert_eq!((build_id(b"#!/bin/sh\n"), build_id(&ourselves[..40])), (None, None));
    }
}
