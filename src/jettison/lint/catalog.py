"""All of jettison's own rules."""

from __future__ import annotations

from jettison.lint.rule import Rule
from jettison.lint.rules import (
    add_instead_of_copy,
    apt_in_script,
    apt_lists_kept,
    apt_update_alone,
    base_without_digest,
    build_tools_shipped,
    cd_in_run,
    copy_before_install,
    install_without_yes,
    missing_dockerignore,
    missing_healthcheck,
    mode_changed_after_copy,
    package_cache_kept,
    pipe_to_shell,
    recommends_installed,
    root_user,
    sdk_as_final_base,
    secret_file_copied,
    ssh_exposed,
    sudo_in_run,
    unpinned_base,
    unused_stage,
)

OWN_RULES: tuple[Rule, ...] = (
    add_instead_of_copy.RULE,
    apt_in_script.RULE,
    apt_lists_kept.RULE,
    apt_update_alone.RULE,
    base_without_digest.RULE,
    build_tools_shipped.RULE,
    cd_in_run.RULE,
    copy_before_install.RULE,
    install_without_yes.RULE,
    missing_dockerignore.RULE,
    missing_healthcheck.RULE,
    mode_changed_after_copy.RULE,
    package_cache_kept.RULE,
    pipe_to_shell.RULE,
    recommends_installed.RULE,
    root_user.RULE,
    sdk_as_final_base.RULE,
    secret_file_copied.RULE,
    ssh_exposed.RULE,
    sudo_in_run.RULE,
    unpinned_base.RULE,
    unused_stage.RULE,
)
"""In alphabetical order."""
