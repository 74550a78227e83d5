//! Where a program's file is.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where is looked without a `PATH`: a service's own, as systemd sets it.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why there is nothing to run; a person has to install it or to name it otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    #[error("no program is named")]
    Unnamed,
    /// Not installed, or not where is looked.
    #[error("there is no program {name} in {path}")]
    NotFound {
        name: String,
        /// The folders, divided by colons.
        path: String,
    },
    /// A file that is no program, or not for this user.
    #[error("{} can't be run: it is no file that Backstop's user may execute", .0.display())]
    NotExecutable(PathBuf),
    /// Where it is to run.
    #[error("{} is no folder that Backstop's user may enter", .0.display())]
    NoFolder(PathBuf),
}

/// The file of a program: a name is looked for in `path`, anything with a slash is a path from `directory`.
/// Found here rather than as it starts, so that what is wrong has words.
///
/// # Errors
/// See [`ProgramError`].
pub fn find(program: &str, path: Option<&str>, directory: Option<&Path>) -> Result<PathBuf, ProgramError> {
    if program.is_empty() {
        return Err(ProgramError::Unnamed);
    }
    // A folder that can't be entered has no entry named `.`.
    if let Some(folder) = directory.filter(|folder| !folder.join(".").is_dir()) {
        return Err(ProgramError::NoFolder(folder.to_owned()));
    }
    if program.contains('/') {
        let file = directory.unwrap_or(Path::new("")).join(program);
        return if is_executable(&file) { Ok(file) } else { Err(ProgramError::NotExecutable(file)) };
    }
    let path = path.unwrap_or(USUAL_PATH);
    // An empty part would be the working directory, in which anybody may have put something.
    let folders = path.split(':').filter(|folder| folder.starts_with('/'));
    let files: Vec<_> = folders.map(|folder| Path::new(folder).join(program)).collect();
    let found = files.iter().find(|file| is_executable(file));
    let other = || files.iter().find(|file| file.is_file());
    match (found, other()) {
        (Some(file), _) => Ok(file.clone()),
        (None, Some(file)) => Err(ProgramError::NotExecutable(file.clone())),
        (None, None) => Err(ProgramError::NotFound { name: program.to_owned(), path: path.to_owned() }),
    }
}

/// By the kernel's word, which knows users, groups and mounts without execution.
fn is_executable(file: &Path) -> bool {
    let is_program =
        file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    is_program && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_its_path_and_what_keeps_it_from_running_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, mode: u32| {
            let file = folder.path().join(name);
            std::fs::write(&file, "#!/bin/sh\n").expect("written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
            file
        };
        let (runs, text) = (file("runs", 0o755), file("text", 0o644));
        let here = folder.path().display().to_string();
        let path = format!("relative::/nowhere:{here}");
        assert_eq!(find("runs", Some(&path), None), Ok(runs.clone()));
        assert_eq!(find("./runs", Some("/nowhere"), Some(folder.path())), Ok(folder.path().join("./runs")));
        assert!(find("sh", None, None).is_ok(), "where a service looks");
        let missing = find("gone", Some(&path), None).expect_err("not there").to_string();
        assert_eq!(missing, format!("there is no program gone in {path}"));
        for program in ["text", text.to_str().expect("text")] {
            assert_eq!(find(program, Some(&here), None), Err(ProgramError::NotExecutable(text.clone())));
        }
        assert_eq!(find("", Some(&here), None), Err(ProgramError::Unnamed));
        let nowhere = folder.path().join("nowhere");
        assert_eq!(find("runs", Some(&here), Some(&nowhere)), Err(ProgramError::NoFolder(nowhere)));
        // Relative to the working directory, in which anybody may have put one.
        let up = "../".repeat(std::env::current_dir().expect("a folder").components().count());
        let relative = format!("{up}{}", here.trim_start_matches('/'));
        assert!(Path::new(&relative).join("runs").exists(), "{relative}");
        assert!(find("runs", Some(&relative), None).is_err());
    }
}
