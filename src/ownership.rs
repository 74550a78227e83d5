//! Whose the files are that root makes.
//!
//! A person who rolls back without the server may be root, in folders of the server's own user. What
//! root makes there would be in that user's way for ever: each later piece of evidence would go to the
//! fallback, or the server not start. So it is given to the folder's owner; only what was made here,
//! because that owner could have put a link to a file of root's in any other's place.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Whether this process may give files away, and so has to.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The folder in which a path lies.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a file or folder that this process has just made to the owner of the folder around it. One
/// that can't be given away is logged: what it was made for counts more.
pub fn give_to_owner_around(made: &File, path: &Path) {
    if !is_root() {
        return;
    }
    let given = std::fs::metadata(folder_of(path)).and_then(|around| match around.uid() {
        0 => Ok(()),
        owner => fchown(made, Some(owner), Some(around.gid())),
    });
    if let Err(error) = given {
        tracing::warn!(
            path = %path.display(),
            %error,
            "this was made as root and can't be given to the folder's owner, who may be unable to use it"
        );
    }
}

/// Opens a file or, where there is none, makes it, for the owner of its folder.
///
/// # Errors
/// Those of opening it.
pub fn open_or_make(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    match options.create(false).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => return opened,
    }
    match options.create_new(true).open(path) {
        Ok(made) => {
            give_to_owner_around(&made, path);
            Ok(made)
        }
        // Somebody was faster, or a link leads to where nothing is yet.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            options.create_new(false).create(true).open(path)
        }
        Err(error) => Err(error),
    }
}

/// Makes a folder with all that are missing above it, each for the owner of the one around it.
///
/// # Errors
/// Those of making one.
pub fn make_folders(path: &Path, mode: u32) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|folder| is_missing(folder)).collect();
    for folder in missing.into_iter().rev() {
        match DirBuilder::new().mode(mode).create(folder) {
            Ok(()) if is_root() => {
                let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed();
                let made = OpenOptions::new().read(true).custom_flags(flags).open(folder);
                made.map(|made| give_to_owner_around(&made, folder))?;
            }
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    // What lies in its place may be no folder, or can't be looked at.
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

fn is_missing(folder: &Path) -> bool {
    let looked_at = std::fs::metadata(folder);
    !folder.as_os_str().is_empty() && looked_at.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Folders that this process may be about to make, to be asked afterwards which it did.
#[derive(Debug)]
pub struct Unmade(Vec<PathBuf>);

impl Unmade {
    /// Those of them that are not there now.
    #[must_use]
    pub fn of<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Self {
        Self(folders.into_iter().filter(|folder| is_missing(folder)).map(Path::to_owned).collect())
    }

    /// Those that are there by now and that nobody but root can use.
    #[must_use]
    pub fn made_for_root(&self) -> Vec<&Path> {
        let roots = |folder: &&Path| std::fs::metadata(folder).is_ok_and(|found| found.uid() == 0);
        self.0.iter().map(PathBuf::as_path).filter(roots).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    const OTHER: u32 = 65_533;

    fn owner(path: &Path) -> u32 {
        std::fs::metadata(path).expect("there").uid()
    }

    /// A folder of another user's; `None` where only root could make one.
    fn folder() -> Option<tempfile::TempDir> {
        if !is_root() {
            println!("not tested: this needs root");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        chown(folder.path(), Some(OTHER), Some(OTHER)).expect("given away");
        Some(folder)
    }

    #[test]
    fn what_root_makes_is_its_folders_owners_and_what_was_there_stays_whose_it_is() {
        let Some(folder) = folder() else { return };
        let (there, made) = (folder.path().join("there"), folder.path().join("made"));
        std::fs::write(&there, "root's, by a link perhaps").expect("written");
        for path in [&there, &made] {
            open_or_make(path, OpenOptions::new().append(true)).expect("opened");
        }
        assert_eq!((owner(&there), owner(&made)), (0, OTHER));
        let nested = folder.path().join("one/two");
        make_folders(&nested, 0o700).expect("made");
        assert_eq!((owner(&nested), owner(nested.parent().expect("one"))), (OTHER, OTHER));
        make_folders(&nested, 0o700).expect("nothing to do");
    }

    #[test]
    fn folders_are_made_closed_to_others_and_a_file_in_the_way_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let nested = folder.path().join("one/two");
        make_folders(&nested, 0o700).expect("made");
        for made in [nested.as_path(), nested.parent().expect("one")] {
            assert_eq!(std::fs::metadata(made).expect("there").permissions().mode() & 0o777, 0o700);
        }
        std::fs::write(folder.path().join("file"), "").expect("written");
        assert!(make_folders(&folder.path().join("file"), 0o700).is_err());
        assert!(make_folders(&folder.path().join("file/below"), 0o700).is_err());
    }

    #[test]
    fn a_link_to_where_nothing_is_yet_is_followed_where_links_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        std::os::unix::fs::symlink(&target, &link).expect("linked");
        open_or_make(&link, OpenOptions::new().write(true)).expect("made");
        assert!(target.exists());
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        std::fs::remove_file(&target).expect("removed");
        assert!(open_or_make(&link, OpenOptions::new().write(true).custom_flags(flags)).is_err());
        assert!(!target.exists());
    }
}
