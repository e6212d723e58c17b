//! The rules of `iota watch`: as they are at its start, and again whenever they have changed.

use super::setup::{Setup, report_names};
use crate::args::WatchArgs;
use clap::ArgMatches;
use iota_engine::system::SystemAlert;
use iota_engine::triage::{Routes, Triage};
use iota_service::config::{AlertSettings, Settings};
use iota_service::pipeline::{Clock, Stop};
use iota_service::rules::{LoadedPack, Python, Refused, RulesError, Which, load_packs, part};
use iota_service::watch::{NotTaken, RuleSet};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// What is wrong with the rules that run, and known.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Why some of them do not run as written: the file, and what is wrong.
    problems: BTreeSet<(String, String)>,
    /// Packs that are not what was signed, and left out for it.
    refused: Vec<Refused>,
}

impl Rules {
    /// Leaves out packs that are not what was signed: one of them does not keep the others from running.
    pub(super) fn start(settings: &Settings, python: &Python) -> Result<(Self, Vec<LoadedPack>), RulesError> {
        let (allowed, refused) = part(&settings.rules.value, settings)?;
        for why in &refused {
            tracing::error!("{why}; the pack is left out");
        }
        let packs = load_packs(&allowed, settings, python, Which::Enabled)?;
        Ok((Self { problems: problems(&packs), refused }, packs))
    }

    /// Says that packs are left out.
    pub(super) fn alerts(&self) -> impl Iterator<Item = SystemAlert> {
        self.refused.iter().map(Refused::left_out)
    }

    /// The rules, and what decides about their alerts, as they are now, unless something is wrong with the rules that was not
    /// before. Where alerts can go stays as it was.
    pub(super) fn again(
        &mut self,
        (args, matches): (&WatchArgs, &ArgMatches),
        start: &Setup,
        routes: &Routes,
        stop: &Arc<Stop>,
    ) -> Result<RuleSet, NotTaken> {
        let read_at = Timestamp::now();
        let settings = Settings::resolve(args.given(matches)).map_err(|error| NotTaken::because(&error))?;
        let files = files(args, &settings);
        match self.read(&settings, start, routes, stop) {
            Ok((packs, triage)) => Ok(RuleSet { packs, limits: settings.limits(), triage, files, read_at }),
            Err(not_taken) => Err(NotTaken { files: Some(files), ..not_taken }),
        }
    }

    fn read(
        &mut self,
        settings: &Settings,
        start: &Setup,
        routes: &Routes,
        stop: &Arc<Stop>,
    ) -> Result<(Vec<LoadedPack>, Arc<Triage>), NotTaken> {
        let triage = settings.alerts.triage(Clock::System.now_ms()).map_err(|error| NotTaken::because(&error))?;
        let triage = Arc::new(Triage { routes: routes.clone(), ..triage });
        let (allowed, refused) = part(&settings.rules.value, settings).map_err(|error| NotTaken::because(&error))?;
        let known: Vec<&PathBuf> = self.refused.iter().map(|refused| &refused.directory).collect();
        let new: Vec<&Refused> = refused.iter().filter(|refused| !known.contains(&&refused.directory)).collect();
        if let Some(first) = new.first() {
            let alerts = new.iter().map(|refused| refused.not_taken()).collect();
            return Err(NotTaken { why: first.to_string(), alerts, files: None });
        }
        let mut python = start.python.clone();
        python.program.stop = Arc::clone(stop);
        let packs =
            load_packs(&allowed, settings, &python, Which::Enabled).map_err(|error| NotTaken::of(&what(&error), &error))?;
        let found = problems(&packs);
        if let Some((file, message)) = found.difference(&self.problems).next() {
            return Err(NotTaken::of(file, &format!("{file}: {message}")));
        }
        if packs.iter().all(|pack| pack.runnable.is_empty()) {
            return Err(NotTaken::because(&"no rule would run"));
        }
        report_names(&packs, settings);
        *self = Self { problems: found, refused };
        let before = &start.settings;
        if settings.alerts.routes != before.alerts.routes || !settings.outputs.keys().eq(before.outputs.keys()) {
            tracing::warn!("outputs and routes are read at the start alone; those that were there then go on until a restart");
        }
        Ok((packs, triage))
    }
}

/// Where rules, and what decides about their alerts, are read from.
pub(super) fn files(args: &WatchArgs, settings: &Settings) -> Vec<PathBuf> {
    let AlertSettings { accounts, suppressions, .. } = &settings.alerts;
    settings.rules.value.iter().chain(&args.rules.python.config).chain(accounts).chain(suppressions).cloned().collect()
}

/// What an error is of, whatever it says.
fn what(error: &RulesError) -> String {
    match error {
        RulesError::Load { pack, .. } => pack.clone(),
        other => other.to_string(),
    }
}

/// What keeps rules from running as written.
fn problems(packs: &[LoadedPack]) -> BTreeSet<(String, String)> {
    let of_pack = |pack: &LoadedPack| {
        let directory = pack.directory.display().to_string();
        pack.errors().map(|problem| (format!("{directory}/{}", problem.path), problem.message.clone())).collect::<Vec<_>>()
    };
    packs.iter().flat_map(of_pack).collect()
}
