//! `manifest.jsonl`: one line a written file, each chained to the one before.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::files::{create, io, open_private, read, replace, sha256};
use super::lines::{BreakLine, Entry, Head, Line, ManifestLine, ORIGIN, SetAside, encode};
use super::verify::Finding;
use super::{EvidenceError, KnownFile};
use crate::incident::EvidenceFile;

pub(super) const MANIFEST: &str = "manifest.jsonl";
/// The file that says how long the chain is.
pub(super) const HEAD: &str = "manifest.head";

/// Manifests that may be set aside in one folder: each stands for a break that was reported.
const MAX_BROKEN: usize = 999;

/// The manifest as it lies there.
#[derive(Debug)]
pub(super) struct Manifest {
    folder: PathBuf,
    pub(super) lines: Vec<Line>,
    /// A last line without its end: a crash in the middle of writing.
    pub(super) torn: Option<Vec<u8>>,
    /// The files' lines of the manifests that were found broken and set aside, as far as they can be
    /// read: what they list was written all the same.
    earlier: Vec<ManifestLine>,
    /// What became of the manifests that were set aside.
    pub(super) earlier_findings: Vec<Finding>,
    bytes: Vec<u8>,
}

impl Manifest {
    pub(super) fn read(folder: &Path) -> Result<Self, EvidenceError> {
        let bytes = read(&folder.join(MANIFEST))?.unwrap_or_default();
        let mut manifest = Self {
            folder: folder.to_owned(),
            lines: Vec::new(),
            torn: None,
            earlier: Vec::new(),
            earlier_findings: Vec::new(),
            bytes: Vec::new(),
        };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(whole) => manifest.lines.push(Line::read(whole)),
                None => manifest.torn = Some(line.to_vec()),
            }
        }
        manifest.bytes = bytes;
        manifest.read_earlier();
        Ok(manifest)
    }

    /// Follows the breaks back to every manifest that was set aside.
    fn read_earlier(&mut self) {
        let continued = |entry: &Entry| entry.as_break()?.continues.clone();
        let mut open: Vec<_> = self.entries().filter_map(continued).collect();
        let mut seen = BTreeSet::new();
        while let Some(aside) = open.pop() {
            if !seen.insert(aside.file.clone()) {
                continue;
            }
            let file = aside.file.clone();
            match read(&self.folder.join(&aside.file)) {
                Ok(None) => self.earlier_findings.push(Finding::Missing { file }),
                Err(_) => self.earlier_findings.push(Finding::Unreadable { file }),
                Ok(Some(bytes)) => {
                    if sha256(&bytes) != aside.sha256 {
                        self.earlier_findings.push(Finding::Changed { file });
                    }
                    let entries: Vec<_> = bytes
                        .split(|byte| *byte == b'\n')
                        .filter_map(|line| Line::read(line).entry)
                        .collect();
                    open.extend(entries.iter().filter_map(continued));
                    let files = entries.into_iter().filter_map(|entry| match entry {
                        Entry::File(line) => Some(line),
                        Entry::Break(_) => None,
                    });
                    self.earlier.splice(0..0, files);
                }
            }
        }
    }

    pub(super) fn head(&self) -> Head {
        let hash = self.entries().last().map_or(ORIGIN, Entry::hash).to_owned();
        Head { lines: self.lines.len(), hash }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.lines.iter().filter_map(|line| line.entry.as_ref())
    }

    /// What the head's file says: `None` where there is none, `Some(None)` where it can't be read.
    fn stored_head(&self) -> Result<Option<Option<Head>>, EvidenceError> {
        Ok(read(&self.folder.join(HEAD))?.map(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// The lines that are not as they were written or whose link is wrong, from 1, in runs.
    fn wrong_lines(&self) -> Vec<Finding> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        let mut prev = Some(ORIGIN);
        for (number, line) in (1..).zip(&self.lines) {
            let right = line.entry.as_ref().is_some_and(|entry| {
                let linked = prev.is_none_or(|prev| entry.prev() == prev);
                line.as_written && linked && entry.hash() == entry.expected_hash()
            });
            // What follows a line that says nothing may continue that line or the one before it.
            prev = line.entry.as_ref().map(Entry::hash);
            match runs.last_mut() {
                _ if right => {}
                Some((_, to)) if *to + 1 == number => *to = number,
                Some(_) | None => runs.push((number, number)),
            }
        }
        let finding = |(from, to)| match from == to {
            true => Finding::ManifestLineChanged { line: from },
            false => Finding::ManifestLinesChanged { from, to },
        };
        runs.into_iter().map(finding).collect()
    }

    /// What is wrong with the chain and its head. A crash leaves one line that the head doesn't count
    /// yet: whoever continues (`healing`) counts it, whoever only looks says so.
    pub(super) fn chain_findings(&self, healing: bool) -> Result<Vec<Finding>, EvidenceError> {
        let mut findings = self.wrong_lines();
        let found = self.head();
        let empty = found.lines == 0 && self.torn.is_none();
        match self.stored_head()? {
            None if empty || (healing && found.lines <= 1) => {}
            None | Some(None) => findings.push(Finding::HeadChanged),
            Some(Some(head)) if head == found => {}
            Some(Some(head))
                if healing
                    && found.lines == head.lines + 1
                    && self.hash_of(head.lines) == Some(head.hash.as_str()) => {}
            Some(Some(head)) if head.lines == found.lines => findings.push(Finding::HeadChanged),
            Some(Some(head)) => {
                findings.push(Finding::ManifestTruncated { expected: head.lines, found: found.lines });
            }
        }
        Ok(findings)
    }

    /// The hash of the chain when it had this many lines.
    fn hash_of(&self, lines: usize) -> Option<&str> {
        let Some(last) = lines.checked_sub(1) else { return Some(ORIGIN) };
        self.lines.get(last)?.entry.as_ref().map(Entry::hash)
    }

    /// The lines of written files, those of manifests that were set aside first.
    pub(super) fn files(&self) -> impl Iterator<Item = &ManifestLine> {
        self.earlier.iter().chain(self.entries().filter_map(Entry::as_file))
    }

    /// Whether a file is what was last recorded of it elsewhere. If a line of it is gone, the damage is
    /// the manifest's then, and to call the file changed would accuse the wrong one.
    fn is_as_recorded(&self, name: &str, known: &[KnownFile]) -> bool {
        let last = known.iter().map(|known| &known.file).rfind(|file| file.name == name);
        let there = read(&self.folder.join(name)).ok().flatten().map(|bytes| sha256(&bytes));
        there.is_some() && there.as_ref() == last.map(|file| &file.sha256)
    }

    pub(super) fn breaks(&self) -> impl Iterator<Item = (usize, &BreakLine)> {
        (1..).zip(&self.lines).filter_map(|(number, line)| Some((number, line.entry.as_ref()?.as_break()?)))
    }

    pub(super) fn of_file(&self, name: &str) -> impl Iterator<Item = &ManifestLine> {
        self.files().filter(move |line| line.file == name)
    }

    /// Makes a manifest that a crash cut off usable again. What was cut off is stored beside it, and a
    /// line that the head doesn't count is counted before another is added: after a second crash there
    /// would be two, which nobody could tell from lines that somebody added.
    pub(super) fn mend(&mut self) -> Result<(), EvidenceError> {
        if let Some(torn) = self.torn.take() {
            let name = format!("manifest.torn-{}", self.lines.len() + 1);
            replace(&self.folder, &name, &torn)?;
            let whole: String = self.entries().map(|entry| encode(entry) + "\n").collect();
            replace(&self.folder, MANIFEST, whole.as_bytes())?;
        }
        let is_counted = self.lines.is_empty() || self.stored_head()? == Some(Some(self.head()));
        if is_counted { Ok(()) } else { self.write_head() }
    }

    /// Sets a manifest that can't be believed aside, unchanged, and begins a new one, whose first
    /// line says for ever what was found and what it continues.
    pub(super) fn begin_anew(&mut self, mut line: BreakLine) -> Result<(), EvidenceError> {
        line.continues = if self.bytes.is_empty() { None } else { Some(self.set_aside()?) };
        let entry = Entry::Break(line).chained_to(ORIGIN);
        replace(&self.folder, MANIFEST, (encode(&entry) + "\n").as_bytes())?;
        *self = Self::read(&self.folder)?;
        self.write_head()
    }

    fn set_aside(&self) -> Result<SetAside, EvidenceError> {
        for number in 1..=MAX_BROKEN {
            let file = format!("manifest.broken-{number}.jsonl");
            if create(&self.folder, &file, &self.bytes)? {
                return Ok(SetAside { file, sha256: sha256(&self.bytes) });
            }
        }
        Err(EvidenceError::NoNameLeft { file: MANIFEST.to_owned(), folder: self.folder.clone() })
    }

    pub(super) fn append(&mut self, line: ManifestLine) -> Result<(), EvidenceError> {
        let entry = Entry::File(line).chained_to(&self.head().hash);
        let path = self.folder.join(MANIFEST);
        let mut file = open_private(&path, OpenOptions::new().append(true))?;
        file.write_all(format!("{}\n", encode(&entry)).as_bytes()).map_err(io(&path, "written"))?;
        file.sync_all().map_err(io(&path, "written"))?;
        self.lines.push(Line { entry: Some(entry), as_written: true });
        self.write_head()
    }

    pub(super) fn write_head(&self) -> Result<(), EvidenceError> {
        // A head that can't be encoded would be a line that couldn't either.
        let head = serde_json::to_vec(&self.head()).unwrap_or_default();
        replace(&self.folder, HEAD, &head)
    }
}

/// What is known to have been written and stands in no line.
pub(super) fn unlisted(manifest: &Manifest, known: &[KnownFile]) -> Vec<Finding> {
    let listed = |file: &EvidenceFile| manifest.of_file(&file.name).any(|line| line.sha256 == file.sha256);
    let lost = known.iter().map(|known| &known.file).filter(|file| !listed(file));
    let mut named = BTreeSet::new();
    let lost = lost.filter(|file| named.insert(&file.name)).map(|file| file.name.clone());
    let finding = |file: String| match manifest.is_as_recorded(&file, known) {
        true => Finding::LineGone { file },
        false => Finding::Lost { file },
    };
    lost.map(finding).collect()
}

/// Whether a break says of a file for ever what [`unlisted`] found. One that was gone, and was put back
/// since, was said to be gone.
pub(super) fn is_said(manifest: &Manifest, finding: &Finding) -> bool {
    let said = |said: &Finding| match (finding, said) {
        (Finding::LineGone { file }, Finding::Lost { file: lost }) => file == lost,
        (finding, said) => finding == said,
    };
    manifest.breaks().any(|(_, line)| line.broken.iter().any(said))
}
