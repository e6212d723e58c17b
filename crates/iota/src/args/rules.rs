//! `iota rules`.

use super::settings::PythonArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct RulesCommandArgs {
    #[command(subcommand)]
    pub(crate) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Check a pack against its signed manifest, or the signed commit it was checked out from
    #[command(after_help = "\
A pack is signed by a manifest, MANIFEST.sha256, as sha256sum writes it, and its signature, MANIFEST.sha256.minisig, by
minisign. docs/OPERATING.md shows how both are made. Exits with 1 if the pack is not what was signed.

Examples:
  iota rules verify my_rules --public-key RWQ4x2Dk0Ff8v1vVQ9aZ7s3n5m8KqLr6tYbWcXeHjUoPgSdFaMnBvC3k
  iota rules verify my_rules --config iota.yaml
  iota rules verify my_rules --commit")]
    Verify {
        /// Directory of the pack
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Public key of minisign; may be given several times [default: rule_signatures.public_keys of the configuration]
        #[arg(long, value_name = "KEY")]
        public_key: Vec<String>,
        /// The checkout stands at a signed commit and holds what is in it; whom to trust is up to your git
        #[arg(long)]
        commit: bool,
        /// Configuration file [nothing is read when this is not given]
        #[arg(long, env = "IOTA_CONFIG", value_name = "FILE", help_heading = "Settings")]
        config: Option<PathBuf>,
    },
    /// Fetch a pack with git, test it, and put it in force in one step
    #[command(after_help = "\
DIR becomes a link to the version in force; versions are kept beside it. Nothing changes when the pack cannot be fetched, is
not signed as asked, does not load or fails its tests: exit code 1, and the old version goes on. `iota watch` notices a new
one by itself. Credentials for private repositories are those of your git.

Examples:
  iota rules pull https://github.com/example/rules.git /etc/iota/rules/example --branch main
  iota rules pull git@github.com:example/rules.git rules/example --commit 0123456789abcdef0123456789abcdef01234567
  iota rules pull https://example.com/rules.git rules/example --path packs/aws --verify-commit")]
    Pull {
        /// https://, ssh://, user@host:path, or a path
        #[arg(value_name = "REPOSITORY")]
        repository: String,
        /// Where the pack is to be; its name is that of the pack
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// [default: where HEAD of the repository stands]
        #[arg(long, value_name = "NAME", conflicts_with_all = ["tag", "commit"])]
        branch: Option<String>,
        #[arg(long, value_name = "NAME", conflicts_with = "commit")]
        tag: Option<String>,
        /// In full
        #[arg(long, value_name = "ID")]
        commit: Option<String>,
        /// Directory of the pack in the repository
        #[arg(long, value_name = "PATH", default_value = "")]
        path: String,
        /// The commit has to be signed by somebody whom your git trusts
        #[arg(long)]
        verify_commit: bool,
        #[command(flatten)]
        python: Box<PythonArgs>,
    },
}
