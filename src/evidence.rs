//! stub
use crate::incident::*;
use chrono::{DateTime, Utc};
/// dir
#[derive(Debug)]
pub struct EvidenceDir;
/// blobs
#[derive(Debug, Default)]
pub struct EvidenceBlobs {
    /// b
    pub before: Option<Vec<u8>>,
    /// a
    pub after: Option<Vec<u8>>,
    /// w
    pub webhooks: Vec<Vec<u8>>,
}
impl EvidenceDir {
    /// w
    pub fn write(
        &self,
        _i: &Incident,
        _b: &EvidenceBlobs,
        _c: bool,
        _n: DateTime<Utc>,
    ) -> Result<Vec<EvidenceFile>, std::io::Error> {
        Ok(vec![])
    }
}
