//! Imports: what is reached through a name that is not followed may be changed unseen.

use super::{Change, Walk};
use crate::guard::names::{MAX_HOPS, Name};
use crate::guard::scope::bound_by_import;
use crate::guard::source::Imported;
use ruff_python_ast::{Alias, StmtImportFrom};

impl Walk<'_, '_> {
    /// Whether a name of the module means this, wherever it is used here.
    fn is_known_as(&self, name: &str, target: &Name) -> bool {
        self.locals.is_empty() && self.sources.name(self.module, name) == *target
    }

    /// What is reached through a name that is not followed may be changed unseen.
    pub(super) fn import(&mut self, alias: &Alias) {
        let whole = alias.asname.is_some();
        let target = match self.sources.import(self.module, &alias.name, whole) {
            Imported::Outside(_) => return,
            Imported::Pack(node) => Name::Module(node),
            Imported::Unclear => Name::Unclear(""),
        };
        if !self.is_known_as(&bound_by_import(alias), &target) {
            self.leak_all(alias);
        }
    }

    pub(super) fn import_from(&mut self, import: &StmtImportFrom) {
        let node = match self.sources.import_from(self.module, import) {
            Imported::Outside(_) => return,
            Imported::Pack(node) => node,
            Imported::Unclear => {
                self.leak_all(import);
                return;
            }
        };
        for alias in &import.names {
            if alias.name.as_str() == "*" {
                let Some(target) = self.sources.module_of(&node) else { continue };
                for name in self.sources.modules[target].bindings.keys().filter(|name| !name.starts_with('_')) {
                    let found = self.sources.name(target, name);
                    if matches!(found, Name::Value(..) | Name::Module(_)) && !self.is_known_as(name, &found) {
                        self.leak_all(import);
                    }
                }
                continue;
            }
            match self.sources.member(&node, &alias.name, MAX_HOPS) {
                found if self.is_known_as(&bound_by_import(alias), &found) => {}
                Name::Value(module, at) => {
                    let place = self.place(alias);
                    self.uses.give((module, at), 0, Change { place, operator: None });
                }
                Name::Function(..) | Name::Class(..) | Name::Outside(_) | Name::Builtin(_) => {}
                Name::Module(_) | Name::Unclear(_) => self.leak_all(alias),
            }
        }
    }
}
