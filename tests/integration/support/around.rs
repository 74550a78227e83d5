//! A store whose appends a test gets to see first; everything else goes through.

use std::sync::Arc;

use async_trait::async_trait;
use backstop::incident::{Incident, IncidentId, StoredAs};
use backstop::pipeline::States;
use backstop::store::{Batch, IncidentFilter, IncidentStore, Loaded, StoreError};
use chrono::{DateTime, Utc};

/// What a test does with an append.
#[async_trait]
pub(crate) trait OnAppend: Send + Sync + std::fmt::Debug {
    async fn append(&self, inner: &dyn IncidentStore, batch: Batch) -> Result<u64, StoreError>;

    /// Why the store has ended; never, unless a test says so.
    async fn ended(&self) -> String {
        std::future::pending().await
    }
}

/// The store with the test before it.
#[derive(Debug)]
pub(crate) struct Around<T> {
    pub(crate) inner: Arc<dyn IncidentStore>,
    pub(crate) test: T,
}

impl<T: OnAppend + 'static> Around<T> {
    pub(crate) fn new(inner: impl IncidentStore + 'static, test: T) -> Arc<Self> {
        Arc::new(Self { inner: Arc::new(inner), test })
    }
}

#[async_trait]
impl<T: OnAppend> IncidentStore for Around<T> {
    async fn append(&self, batch: Batch) -> Result<u64, StoreError> {
        self.test.append(self.inner.as_ref(), batch).await
    }

    async fn set_aside(&self, events: Vec<StoredAs>, why: String) -> Result<(), StoreError> {
        self.inner.set_aside(events, why).await
    }

    async fn caught_up(&self, until: DateTime<Utc>) -> Result<(), StoreError> {
        self.inner.caught_up(until).await
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        self.inner.load().await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        self.inner.incident(id).await
    }

    async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        self.inner.incidents(filter).await
    }

    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.blob(sha256).await
    }

    async fn alive(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.inner.alive(now).await
    }

    async fn checkpoint(&self, seq: u64, states: States) -> Result<(), StoreError> {
        self.inner.checkpoint(seq, states).await
    }

    async fn prune(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.inner.prune(before).await
    }

    async fn ended(&self) -> String {
        self.test.ended().await
    }
}
