//! A real, small file system that only Backstop and its test see: a tmpfs in a mount namespace.
//! One process holds the namespace, so that Backstop can be killed and started in it again.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::{Site, wait_for};

/// The file that fills it.
const FILLER: &str = "filler";

pub(crate) struct SmallDisk {
    holder: Child,
    pid: u32,
    folder: PathBuf,
    /// Set where only a namespace of one's own users allows to mount.
    as_user: bool,
}

impl SmallDisk {
    /// Mounts one of this size (as `mount` takes it) on `folder`.
    pub(crate) async fn mount(folder: &Path, size: &str) -> Self {
        std::fs::create_dir_all(folder).expect("created");
        for flags in ["-m", "-rm"] {
            let script = "mount -t tmpfs -o size=$1 tmpfs \"$0\" && touch \"$0/.mounted\" && exec sleep 600";
            let mut holder = Command::new("unshare")
                .args([flags, "sh", "-c", script])
                .arg(folder)
                .arg(size)
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .expect("unshare, of util-linux, is needed");
            let pid = holder.id().expect("a pid");
            let (folder, as_user) = (folder.to_owned(), flags == "-rm");
            let marker = inside(pid, &folder).join(".mounted");
            let mounted = wait_for("the mount", || {
                let there = marker.exists().then_some(true);
                let gone = holder.try_wait().expect("asked").map(|_| false);
                async move { gone.or(there) }
            })
            .await;
            if mounted {
                return Self { holder, pid, folder, as_user };
            }
        }
        panic!(
            "no file system can be mounted: run the tests as root, or allow user namespaces \
             (`unshare -rm true` has to work)"
        );
    }

    /// A path on it, as this process reaches it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        inside(self.pid, &self.folder).join(name)
    }

    /// Fills it to the last byte.
    pub(crate) fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.path(FILLER)).expect("opened");
        for size in [1 << 16, 1 << 12, 1] {
            while filler.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    pub(crate) fn free(&self) {
        std::fs::remove_file(self.path(FILLER)).expect("removed");
    }

    fn command(&self, program: &std::ffi::OsStr) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid.to_string(), "--mount"]);
        if self.as_user {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command
    }

    /// Makes it read-only (`ro`) or writable (`rw`).
    pub(crate) async fn remount(&self, mode: &str) {
        let mut command = self.command("mount".as_ref());
        let done = command.args(["-o", &format!("remount,{mode}")]).arg(&self.folder).status().await;
        assert!(done.expect("mount").success());
    }

    /// Backstop as a process that sees it; its log goes to [`SmallDisk::log`].
    pub(crate) async fn serve(&self, site: &Site) -> Child {
        let binary = super::binary();
        let mut command = self.command(binary.as_std().get_program());
        site.serve(command.arg("serve").arg("--config").arg(&site.config)).await
    }

    /// Ends the namespace, and with it the file system.
    pub(crate) async fn unmount(mut self) {
        self.holder.kill().await.expect("killed");
    }
}

fn inside(pid: u32, folder: &Path) -> PathBuf {
    let folder = folder.strip_prefix("/").expect("an absolute path");
    PathBuf::from(format!("/proc/{pid}/root")).join(folder)
}
