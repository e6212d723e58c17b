//! The rule packs: whether they load, how many rules cost Python a call for every record, and whether the configuration speaks of
//! what is there.

use super::Plan;
use super::finding::{Finding, Report};
use crate::rules::{LoadedPack, Python, RulesError, UnknownName, Which, load_packs, unknown_names};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

const CHECK: &str = "rules";
/// Loading 5,000 rules takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// Problems that are told one by one.
const TOLD: usize = 20;

pub(super) fn check(plan: &Plan<'_>, report: &mut Report<'_>) {
    let directories = &plan.settings.rules.value;
    if directories.is_empty() {
        report.tell(Finding::warning(CHECK, "rules", "none are given").setting("name a rule directory with --rules DIR"));
        return;
    }
    let shown = directories.iter().map(|directory| directory.display().to_string()).collect::<Vec<_>>().join(", ");
    let packs = match load(plan) {
        Ok(packs) => packs,
        // Told by the checks of those.
        Err(RulesError::Interpreter(_) | RulesError::Sandbox(_)) => {
            let text = "were not loaded: without Python and its sandbox they do not run";
            report.tell(Finding::failed(CHECK, &shown, text).setting("mend what the checks above name"));
            return;
        }
        Err(RulesError::Stopped) => {
            let text = format!("do not load within {} s", PATIENCE.as_secs());
            report.tell(Finding::failed(CHECK, &shown, text).setting("`iota check` says which rule takes so long"));
            return;
        }
        Err(error) => {
            report.tell(Finding::failed(CHECK, &shown, error.to_string()).setting("`iota check DIR` says more"));
            return;
        }
    };
    for pack in &packs {
        of_pack(pack, report);
    }
    match unknown_names(&packs, plan.settings, Timestamp::now().as_millisecond()) {
        Ok(unknown) => unknown.into_iter().for_each(|UnknownName { path, line, message }| {
            let subject = format!("{}:{line}", path.display());
            report.tell(
                Finding::warning(CHECK, &subject, message).setting("mend the name there, unless the rule is still to come"),
            );
        }),
        Err(error) => {
            report.tell(Finding::failed(CHECK, "names", error.to_string()).setting("mend that file"));
        }
    }
    if packs.iter().all(|pack| pack.runnable.is_empty()) {
        report.tell(Finding::failed(CHECK, &shown, "no rule runs").setting("`iota check DIR` says why"));
    }
}

/// Gives up when it takes too long.
fn load(plan: &Plan<'_>) -> Result<Vec<LoadedPack>, RulesError> {
    let settings = plan.settings;
    let python = Python::find(settings, None, plan.path_variable.as_deref(), plan.cache.clone())?;
    let stop = Arc::clone(&python.program.stop);
    thread::scope(|scope| {
        let (done, is_done) = channel();
        let loading = scope.spawn(move || {
            let packs = load_packs(&settings.rules.value, settings, &python, Which::Enabled);
            // Nobody listens any more when it took too long.
            let _ = done.send(());
            packs
        });
        if is_done.recv_timeout(PATIENCE).is_err() {
            stop.request();
        }
        loading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn of_pack(pack: &LoadedPack, report: &mut Report<'_>) {
    let directory = pack.directory.display().to_string();
    let mut errors = 0;
    for problem in pack.errors() {
        errors += 1;
        if errors <= TOLD {
            let rule = problem.rule_id.as_ref().map_or_else(String::new, |id| format!("rule `{id}`: "));
            let found = format!("{rule}{}:{}: {}", problem.path, problem.line.max(1), problem.message);
            report.tell(Finding::failed(CHECK, &directory, found).setting("mend that file; `iota check` and `iota test` try it"));
        }
    }
    if errors > TOLD {
        let found = format!("{} more problems", errors - TOLD);
        report.tell(Finding::failed(CHECK, &directory, found).setting(format!("`iota check {directory}` lists them")));
    }
    let guards = pack.guards();
    let unguarded = |index: &&u16| guards.guard(**index).is_none_or(|guard| guard.entries.is_none() && !guard.skips);
    let unguarded = pack.runnable.iter().filter(unguarded).count();
    let found = format!(
        "{} of {} rules run, {unguarded} of them on every record",
        pack.runnable.len(),
        pack.pack.rules.iter().filter(|rule| rule.enabled).count()
    );
    report.tell(Finding::ok(CHECK, &directory, found));
}
