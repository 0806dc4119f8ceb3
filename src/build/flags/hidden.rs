//! Flags that are known and do nothing.

use super::args::truth;
use crate::build::options::Invalid;

/// Flags of docker's classic builder and of later versions: known, so that nobody is told that they
/// do not exist.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct HiddenArgs {
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = truth)]
    compress: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = truth)]
    squash: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true", value_parser = truth)]
    rm: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = truth)]
    force_rm: bool,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    isolation: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    security_opt: Vec<String>,
    #[arg(short, long, hide = true, allow_hyphen_values = true)]
    memory: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    memory_swap: Option<String>,
    #[arg(short, long, hide = true, allow_hyphen_values = true, value_parser = number)]
    cpu_shares: Option<i64>,
    #[arg(long, hide = true, allow_hyphen_values = true, value_parser = number)]
    cpu_period: Option<i64>,
    #[arg(long, hide = true, allow_hyphen_values = true, value_parser = number)]
    cpu_quota: Option<i64>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    cpuset_cpus: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    cpuset_mems: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = truth)]
    check: bool,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    call: Option<String>,
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "expected a number".to_owned())
}

impl HiddenArgs {
    /// One line for each flag that the user gave in vain.
    pub(super) fn warnings(&self) -> Result<Vec<String>, Invalid> {
        if self.check || self.call.as_deref().is_some_and(|call| call != "build") {
            return Err(Invalid(
                "--check and --call are not supported yet; they come in a later version".to_owned(),
            ));
        }
        let mut warnings = Vec::new();
        let mut warn = |given: bool, text: &str| {
            if given {
                warnings.push(text.to_owned());
            }
        };
        warn(
            self.squash,
            "--squash has no effect with BuildKit; use a multi-stage Dockerfile instead",
        );
        warn(
            self.compress,
            "--compress has no effect with BuildKit: only what changed of the context is sent",
        );
        warn(
            self.isolation
                .as_deref()
                .is_some_and(|text| !text.is_empty()),
            "--isolation has no effect with BuildKit",
        );
        warn(
            !self.security_opt.is_empty(),
            "--security-opt has no effect with BuildKit; use RUN --security=insecure instead",
        );
        let limits = self.memory.is_some()
            || self.memory_swap.is_some()
            || self.cpu_shares.is_some()
            || self.cpu_period.is_some()
            || self.cpu_quota.is_some()
            || self.cpuset_cpus.is_some()
            || self.cpuset_mems.is_some();
        warn(
            limits,
            "limits of memory and CPU have no effect with BuildKit; limit the builder instead",
        );
        // --rm and --force-rm ask for what BuildKit does anyway.
        Ok(warnings)
    }
}
