//! `iota rules`

use super::run::watch_signals;
use super::test::all_of;
use crate::args::{PythonArgs, RulesCommand, RulesCommandArgs};
use crate::exit::Exit;
use crate::printer::counted;
use anyhow::{Context, bail};
use clap::ArgMatches;
use iota_engine::text::printable;
use iota_service::config::{Given, Settings};
use iota_service::pipeline::Stop;
use iota_service::rules::{Python, Which, load_packs, packs_of};
use iota_service::supply::{PublicKeys, Pulled, Revision, Source, Staged, check_directory, commit_differences, stage};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// How many failed tests are named.
const SHOWN: usize = 10;

pub(crate) fn rules(args: &RulesCommandArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    match &args.command {
        RulesCommand::Verify { directory, public_key, commit, config } => {
            if *commit {
                return verify_commit(directory);
            }
            let settings = Settings::resolve(Given { config: config.clone(), ..Given::default() })?;
            let given = PublicKeys::parse(public_key).map_err(anyhow::Error::msg).context("--public-key")?;
            let keys = if given.is_empty() { settings.rule_signatures.keys } else { given };
            if keys.is_empty() {
                bail!("no key to check with; name one with --public-key KEY, or rule_signatures.public_keys in --config FILE");
            }
            verify(directory, &keys)
        }
        RulesCommand::Pull { repository, directory, branch, tag, commit, path, verify_commit, python } => {
            let revision = match (branch, tag, commit) {
                (Some(name), _, _) => Revision::Branch(name.clone()),
                (_, Some(name), _) => Revision::Tag(name.clone()),
                (_, _, Some(commit)) => Revision::Commit(commit.clone()),
                (None, None, None) => Revision::Default,
            };
            let (address, below) = (repository.clone(), path.trim_end_matches('/').to_owned());
            pull(&Source { address, revision, below, signed_commit: *verify_commit }, directory, python, matches)
        }
    }
}

fn verify(directory: &Path, keys: &PublicKeys) -> anyhow::Result<Exit> {
    let shown = directory.display();
    if !directory.is_dir() {
        bail!("{shown} is not a directory");
    }
    match check_directory(directory, keys) {
        Ok(comment) => writeln!(io::stdout(), "{shown} is what was signed: {}", printable(&comment))?,
        Err(why) => {
            tracing::error!("{shown}: {}", printable(&why.to_string()));
            return Ok(Exit::Findings);
        }
    }
    Ok(Exit::Ok)
}

fn verify_commit(directory: &Path) -> anyhow::Result<Exit> {
    let shown = directory.display();
    let stop = Arc::<Stop>::default();
    watch_signals(Arc::clone(&stop))?;
    let (commit, differences) = match commit_differences(directory, &stop) {
        Ok(found) => found,
        Err(why) => {
            tracing::error!("{shown}: {}", printable(&why.to_string()));
            return Ok(Exit::Findings);
        }
    };
    for difference in &differences {
        tracing::error!("{shown}: {}", printable(&difference.to_string()));
    }
    if !differences.is_empty() {
        return Ok(Exit::Findings);
    }
    writeln!(io::stdout(), "{shown} is what is in commit {commit}, which is signed")?;
    Ok(Exit::Ok)
}

fn pull(source: &Source, directory: &Path, python: &PythonArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    let settings = Settings::resolve(python.given(matches))?;
    let python = super::find_python(&settings, None)?;
    watch_signals(Arc::clone(&python.program.stop))?;
    let shown = directory.display();
    let kept = |why: &str| {
        tracing::error!("{shown}: {}; nothing was changed", printable(why));
        Ok(Exit::Findings)
    };
    let staged = match stage(source, directory, &python.program.stop) {
        Ok(staged) => staged,
        Err(why) => return kept(&why.to_string()),
    };
    let tests = match examine(&staged, settings, &python) {
        Ok(tests) => tests,
        Err(why) => return kept(&format!("{why:#}")),
    };
    if python.program.stop.is_requested() {
        return kept("interrupted");
    }
    let commit = staged.commit.clone();
    let said = match staged.switch().with_context(|| shown.to_string())? {
        Pulled::New => "is in force now",
        Pulled::Same => "was in force already",
    };
    if tests == 0 {
        tracing::warn!("{shown}: the pack has no tests, so nothing shows that its rules find what they are for");
    }
    writeln!(io::stdout(), "{shown}: commit {commit} {said} ({} passed)", counted(tests, "test"))?;
    Ok(Exit::Ok)
}

/// Loads the rules and runs their tests: how many there are. An error says why it cannot be put in force.
fn examine(staged: &Staged, mut settings: Settings, python: &Python) -> anyhow::Result<usize> {
    // What is set for other packs does not matter here.
    (settings.packs, settings.overrides) = (BTreeMap::new(), BTreeMap::new());
    if let Some(first) =
        packs_of(&staged.directory)?.first().filter(|first| **first != staged.directory && first.starts_with(&staged.directory))
    {
        let first = first.strip_prefix(&staged.directory).unwrap_or(first);
        bail!("it is no pack but holds some; name one, e.g. --path {}", first.display());
    }
    let packs = load_packs(std::slice::from_ref(&staged.directory), &settings, python, Which::All)?;
    let mut tests = 0;
    for pack in &packs {
        if let Some(problem) = pack.errors().next() {
            bail!("{}:{}: {}", problem.path, problem.line.max(1), problem.message);
        }
        if pack.runnable.is_empty() {
            bail!("there are no rules in it");
        }
        let (count, failed) = all_of(pack, python)?;
        tests += count;
        if !failed.is_empty() {
            for failure in failed.iter().take(SHOWN) {
                tracing::error!("{}", printable(failure));
            }
            bail!("{} of {} failed", failed.len(), counted(count, "test"));
        }
    }
    Ok(tests)
}
