//! What Prometheus has of a world: by its scrapes, of which some are late or fail.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::canary::{Counters, GRID_SECONDS, Recording, Series, Service, Value, World, poisson};

/// One target's scrapes: when they are, and whether they succeed.
struct Scrapes {
    every: u32,
    offset: u32,
    failing_one_in: u32,
    late: f64,
    count: u32,
    due: u32,
}

impl Scrapes {
    /// None: no scrape now; else whether it succeeds.
    fn at(&mut self, t: u32, random: &mut StdRng) -> Option<bool> {
        if t < self.due {
            return None;
        }
        self.count += 1;
        let next = self.offset + self.count * self.every;
        let late = if random.random::<f64>() < self.late { GRID_SECONDS } else { 0 };
        self.due = next + late;
        Some(self.failing_one_in == 0 || !self.count.is_multiple_of(self.failing_one_in))
    }
}

impl World {
    /// A canary alone.
    pub(crate) fn of(service: Service) -> Self {
        Self {
            minutes: 30,
            scrape_seconds: 15,
            failing_one_in: 0,
            late: 0.0,
            services: vec![service],
            exported: Vec::new(),
        }
    }

    fn scrapes(&self, random: &mut StdRng) -> Scrapes {
        let offset = random.random_range(0..self.scrape_seconds / GRID_SECONDS) * GRID_SECONDS;
        let Self { scrape_seconds: every, failing_one_in, late, .. } = *self;
        Scrapes { every, offset, failing_one_in, late, count: 0, due: offset }
    }

    /// What Prometheus has of it.
    pub(crate) fn record(&self, seed: u64) -> Recording {
        let mut random = StdRng::seed_from_u64(seed);
        let steps = (self.minutes * 60 / GRID_SECONDS) as usize;
        let mut recording = Recording::new();
        for service in &self.services {
            self.record_service(service, steps, &mut random, &mut recording);
        }
        for exported in &self.exported {
            let mut scrapes = self.scrapes(&mut random);
            let mut total = 0.0;
            let values = recording.entry(exported.series.clone()).or_insert_with(|| vec![Value::Gap; steps]);
            let mut was_there = false;
            for (step, slot) in values.iter_mut().enumerate() {
                let t = step as u32 * GRID_SECONDS;
                let now = (exported.value)(f64::from(t));
                if exported.is_counter {
                    total +=
                        f64::from(poisson(&mut random, now.unwrap_or_default() * f64::from(GRID_SECONDS)));
                }
                let Some(succeeds) = scrapes.at(t, &mut random) else { continue };
                match now.filter(|_| succeeds) {
                    Some(value) => *slot = Value::Number(if exported.is_counter { total } else { value }),
                    None if was_there => *slot = Value::Stale,
                    None => {}
                }
                was_there = now.is_some() && succeeds;
            }
        }
        recording
    }

    fn record_service(
        &self,
        service: &Service,
        steps: usize,
        random: &mut StdRng,
        recording: &mut Recording,
    ) {
        let mut counters = service.with_history();
        let mut scrapes: Vec<_> = (0..service.pods).map(|_| self.scrapes(random)).collect();
        for step in 0..steps {
            let t = step as u32 * GRID_SECONDS;
            let minute = f64::from(t) / 60.0;
            let lives = service.life.0 <= minute && minute < service.life.1;
            if service.restarts.contains(&t) {
                counters.iter_mut().for_each(Counters::clear);
            }
            for second in 0..GRID_SECONDS {
                if lives {
                    service.second(f64::from(t + second), &mut counters, random);
                }
            }
            for (pod, scrapes) in scrapes.iter_mut().enumerate() {
                let Some(succeeds) = scrapes.at(t, random) else { continue };
                if lives {
                    let up = service.key("up", pod, &[]);
                    let slots = recording.entry(up).or_insert_with(|| vec![Value::Gap; steps]);
                    slots[step] = Value::Number(f64::from(u8::from(succeeds)));
                }
                // What was there before and isn't in this scrape is marked, as Prometheus does.
                let known: Vec<Series> = recording
                    .keys()
                    .filter(|(_, labels)| {
                        service.base(pod).iter().all(|(name, value)| labels.get(name) == Some(value))
                    })
                    .filter(|key| key.0 != "up" || !lives)
                    .cloned()
                    .collect();
                for key in known {
                    if let Some(slots) = recording.get_mut(&key) {
                        slots[step] = Value::Stale;
                    }
                }
                if lives && succeeds {
                    for (key, count) in &counters[pod] {
                        let slots = recording.entry(key.clone()).or_insert_with(|| vec![Value::Gap; steps]);
                        slots[step] = Value::Number(*count);
                    }
                }
            }
        }
    }
}
