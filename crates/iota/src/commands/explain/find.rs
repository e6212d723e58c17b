//! Which rule a word on the command line means: an id, a former id, or a file.

use anyhow::{Context, bail};
use iota_engine::guard::Reason;
use iota_engine::rule::{Level, Pack, Rule};
use iota_engine::text::did_you_mean;
use iota_service::config::Settings;
use iota_service::rules::{packs_of, read_packs};
use std::path::{Path, PathBuf};

/// A rule in its pack. Python has not seen either.
pub(super) struct Found {
    pub(super) directory: PathBuf,
    pub(super) pack: Pack,
    pub(super) index: u16,
}

impl Found {
    pub(super) fn rule(&self) -> &Rule {
        &self.pack.rules[usize::from(self.index)]
    }

    /// A reason, with its path as seen from outside the pack.
    pub(super) fn placed(&self, reason: &Reason) -> Reason {
        Reason { path: self.directory.join(&reason.path).display().to_string(), ..reason.clone() }
    }
}

pub(super) fn find(named: &str, settings: &Settings) -> anyhow::Result<Found> {
    let path = Path::new(named);
    if path.is_file() { by_file(path, settings) } else { by_id(named, settings) }
}

fn by_id(id: &str, settings: &Settings) -> anyhow::Result<Found> {
    if settings.rules.value.is_empty() && Path::new(id).is_dir() {
        bail!("`{id}` is a directory; name a rule by its file, or by its id with --rules {id}");
    }
    if settings.rules.value.is_empty() {
        bail!("there is no file `{id}`; to find a rule by its id, name a rule directory with --rules DIR");
    }
    let packs = read_packs(&settings.rules.value, settings)?;
    let place_of = |means: &dyn Fn(&Rule) -> bool| {
        let places = (0..).zip(&packs).filter_map(|(at, (_, pack))| Some((at, pack.rules.iter().position(means)?)));
        places.map(|(at, rule): (usize, usize)| (at, rule)).next()
    };
    // A former id that another rule has now means that rule.
    if let Some((at, rule)) = place_of(&|rule| rule.id == id).or_else(|| place_of(&|rule| rule.is_called(id))) {
        return found(packs, at, rule);
    }
    for (directory, pack) in &packs {
        why_not(directory, pack, &format!("rule `{id}`"), |of, _| of == Some(id))?;
    }
    bail!("there is no rule `{id}`{}", did_you_mean(id, packs.iter().flat_map(|(_, pack)| pack.known_ids())))
}

fn by_file(path: &Path, settings: &Settings) -> anyhow::Result<Found> {
    let file = path.canonicalize().with_context(|| path.display().to_string())?;
    let packs = read_packs(&packs_of(path)?, settings)?;
    let is_file = |directory: &Path, inside: &str| directory.join(inside).canonicalize().is_ok_and(|other| other == file);
    let mut rules = Vec::new();
    for (at, (directory, pack)) in packs.iter().enumerate() {
        let of_file = |rule: &Rule| [rule.path(), rule.declaration()].iter().any(|inside| is_file(directory, inside));
        rules.extend((0..pack.rules.len()).filter(|rule| of_file(&pack.rules[*rule])).map(|rule| (at, rule)));
    }
    match rules[..] {
        [(at, rule)] => found(packs, at, rule),
        [] => {
            for (directory, pack) in &packs {
                why_not(directory, pack, &path.display().to_string(), |_, inside| is_file(directory, inside))?;
            }
            bail!("{}: no rule of its pack is in this file", path.display())
        }
        [..] => {
            let ids: Vec<&str> = rules.iter().map(|(at, rule)| packs[*at].1.rules[*rule].id.as_str()).collect();
            let directory = packs[rules[0].0].0.display();
            bail!(
                "{} is the code of {} rules; name one of {} with --rules {directory}",
                path.display(),
                ids.len(),
                ids.join(", ")
            )
        }
    }
}

fn found(mut packs: Vec<(PathBuf, Pack)>, at: usize, rule: usize) -> anyhow::Result<Found> {
    let (directory, pack) = packs.swap_remove(at);
    Ok(Found { directory, pack, index: u16::try_from(rule).context("a pack has at most 65,536 rules")? })
}

/// Fails with the reason for which something that is in the pack is no rule of it. `is_meant` gets its id and path.
fn why_not(directory: &Path, pack: &Pack, what: &str, is_meant: impl Fn(Option<&str>, &str) -> bool) -> anyhow::Result<()> {
    let problems = pack.problems.iter().filter(|problem| problem.level == Level::Error);
    if let Some(problem) = problems.into_iter().find(|problem| is_meant(problem.rule_id.as_deref(), &problem.path)) {
        let place = directory.join(&problem.path);
        bail!("{what} cannot be used: {}:{}: {}", place.display(), problem.line.max(1), problem.message);
    }
    match pack.skipped.iter().find(|skipped| is_meant(skipped.id.as_deref(), &skipped.path)) {
        Some(skipped) => bail!("{what} is not run: {}", skipped.reason),
        None => Ok(()),
    }
}
