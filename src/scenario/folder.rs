//! The scenario files of a folder.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The scenario files directly in a folder (`*.yaml`, `*.yml`), in the order of their names; hidden files and
/// folders inside are left out. A file stands for itself. Errors: the folder cannot be read.
pub fn folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if is_scenario(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_scenario(path: &Path) -> bool {
    let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    yaml && !hidden && path.is_file()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_folder_gives_its_own_scenarios_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "schema.json", ".hidden.yaml", "README.md"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir_all(folder.path().join("stacks.yaml")).unwrap();
        let names: Vec<String> = super::folder(folder.path())
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["a.yml", "b.yaml"]);
    }
}
