//! The feed of managed devices.
//!
//! While a full walk of hours goes on, quick runs pass it. Their rows are put behind those that
//! the walk has read so far, and the inventory takes the later of two reports of one device: so
//! a page read an hour ago never overwrites what a quick run has learned since.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::inventory::Complete;
use crate::inventory::DeviceReport;
use crate::inventory::Update;
use crate::model::DeviceId;
use crate::model::Timestamp;
use crate::sync::graph::Absences;
use crate::sync::graph::Earlier;
use crate::sync::graph::Graph;
use crate::sync::graph::SECOND_LOOK;
use crate::sync::graph::client::Listed;
use crate::sync::graph::client::Reading;
use crate::sync::intune;
use crate::sync::plan::Run;
use crate::sync::source::Brought;
use crate::sync::source::Content;
use crate::sync::source::Context;
use crate::sync::source::Delivery;
use crate::sync::source::Failure;
use crate::sync::source::Source;

/// The devices of one tenant.
#[derive(Debug)]
pub(in crate::sync) struct DeviceFeed {
    graph: Arc<Graph>,
    /// How far a quick run looks back before the last one, for check-ins that show up late.
    overlap: Duration,
    /// A full walk that has stopped half-way.
    open: Option<Reading<DeviceReport>>,
    absences: Absences<DeviceId>,
    /// What was known before the start, until the first full run asks for it.
    earlier: Option<Earlier>,
    /// The server's time up to which check-ins are known.
    watermark: Option<Timestamp>,
    /// The same, once the delivery at hand is accepted.
    next_watermark: Option<Timestamp>,
}

impl DeviceFeed {
    pub(in crate::sync) fn new(graph: Arc<Graph>, overlap: Duration, earlier: Earlier) -> Self {
        Self {
            graph,
            overlap,
            open: None,
            absences: Absences::new(),
            earlier: Some(earlier),
            watermark: None,
            next_watermark: None,
        }
    }

    async fn full(&mut self, context: &Context<'_>) -> Result<Brought, Failure> {
        let mut reading = match self.open.take() {
            Some(mut reading) => {
                reading.walk.handle_resume();
                reading
            }
            None => self
                .graph
                .start(LIST, &intune::all_query(), context.clock.now())?,
        };
        while reading.walk.link().is_some() {
            let read = intune::read_managed_devices;
            let page = self.graph.advance(LIST, &mut reading, read, context).await;
            if let Err(failure) = page {
                if failure.is_passing() {
                    self.open = Some(reading);
                }
                return Err(failure);
            }
            // From the first page on, quick runs know where to begin.
            self.watermark.get_or_insert(reading.listed.began);
            let now = context.clock.now().monotonic;
            let due = context.pause_at.is_some_and(|at| at <= now);
            if due && reading.walk.link().is_some() {
                self.open = Some(reading);
                return Ok(Brought::Paused);
            }
        }
        let listed = self.graph.finish(LIST, reading)?;
        self.complete(listed, context).await
    }

    /// Turns a list that has been read to its end into a delivery.
    async fn complete(
        &mut self,
        listed: Listed<DeviceReport>,
        context: &Context<'_>,
    ) -> Result<Brought, Failure> {
        if let Some(earlier) = self.earlier.take() {
            self.absences.seen(earlier.devices());
        }
        let mut devices = listed.rows;
        let mut present: HashSet<DeviceId> = devices.iter().map(|row| row.device).collect();
        let missing = self.absences.compare(&present);
        let mut doubtful = missing.first;
        let mut hidden = 0_usize;
        if doubtful.len() > MAX_LOOKUPS && context.accept {
            doubtful.clear();
        } else if doubtful.len() <= MAX_LOOKUPS {
            for device in std::mem::take(&mut doubtful) {
                let query = intune::device_query(device);
                let Some(answer) = self.graph.object(ONE, &query, context).await? else {
                    continue;
                };
                match intune::read_managed_device(&answer.body) {
                    Some(report) if report.device == device => {
                        hidden += 1;
                        present.insert(device);
                        devices.push(report);
                    }
                    Some(_) | None => doubtful.push(device),
                }
            }
        }
        let entries = present.len();
        self.absences.propose(present, &doubtful, &missing.again);
        let note = if doubtful.is_empty() {
            (hidden > 0).then(|| format!("{hidden} devices exist and were not in the list"))
        } else {
            Some(format!(
                "the list lacks {} known devices; they stay until a second list agrees",
                doubtful.len() + missing.again.len()
            ))
        };
        let (content, again_in) = if doubtful.is_empty() {
            let all = Complete {
                devices,
                ..Complete::default()
            };
            (Content::Complete(all), None)
        } else {
            let updates = devices.into_iter().map(Update::Device).collect();
            (Content::Delta(updates), Some(SECOND_LOOK))
        };
        Ok(Brought::Delivery(Delivery {
            content,
            entries: Some(entries),
            bad: listed.refused,
            first_bad: listed.first_refusal.map(|refusal| refusal.to_string()),
            problems: Vec::new(),
            note,
            again_in,
        }))
    }

    async fn quick(&mut self, context: &Context<'_>) -> Result<Brought, Failure> {
        // Without a first page of the full walk there is no time to begin from, and the full walk
        // will bring everything.
        let Some(watermark) = self.watermark else {
            return Ok(Brought::Unchanged);
        };
        let back = i64::try_from(self.overlap.as_millis()).unwrap_or(i64::MAX);
        let since = watermark.unix_millis().saturating_sub(back);
        let since = intune::since_query(Timestamp::from_unix_millis(since));
        let read = intune::read_managed_devices;
        let recent = self.graph.list(RECENT, &since, read, context).await?;
        let bad = intune::noncompliant_query();
        let bad = self.graph.list(NONCOMPLIANT, &bad, read, context).await?;
        self.next_watermark = Some(recent.began.max(watermark));
        let refused = recent.refused + bad.refused;
        let rows: Vec<DeviceReport> = recent.rows.into_iter().chain(bad.rows).collect();
        self.absences.seen(rows.iter().map(|row| row.device));
        if let Some(open) = &mut self.open {
            open.listed.rows.extend(rows.iter().cloned());
        }
        Ok(Brought::Delivery(Delivery {
            content: Content::Delta(rows.into_iter().map(Update::Device).collect()),
            entries: None,
            bad: refused,
            first_bad: None,
            problems: Vec::new(),
            note: None,
            again_in: None,
        }))
    }
}

impl Source for DeviceFeed {
    async fn run(&mut self, run: Run, context: &Context<'_>) -> Result<Brought, Failure> {
        match run {
            Run::Full => self.full(context).await,
            Run::Quick => self.quick(context).await,
        }
    }

    async fn look_up(
        &mut self,
        device: DeviceId,
        context: &Context<'_>,
    ) -> Result<Option<Vec<Update>>, Failure> {
        let query = intune::device_query(device);
        let answer = self.graph.object(ALONE, &query, context).await?;
        let report = answer.and_then(|answer| intune::read_managed_device(&answer.body));
        let Some(report) = report.filter(|report| report.device == device) else {
            return Ok(Some(Vec::new()));
        };
        self.absences.seen([device]);
        if let Some(open) = &mut self.open {
            open.listed.rows.push(report.clone());
        }
        Ok(Some(vec![Update::Device(report)]))
    }

    fn settle(&mut self, accepted: bool) {
        self.absences.settle(accepted);
        if let Some(watermark) = self.next_watermark.take()
            && accepted
        {
            self.watermark = Some(watermark);
        }
    }
}

const LIST: &str = "the list of devices";
const ONE: &str = "a device that the list lacks";
const ALONE: &str = "a device that is looked up";
const RECENT: &str = "the list of devices that checked in";
const NONCOMPLIANT: &str = "the list of devices that are not compliant";

/// Devices that a list lacks are asked for one by one, up to this many: a renamed device or two
/// hide in most walks of a large tenant. More wait for the second list.
const MAX_LOOKUPS: usize = 100;
