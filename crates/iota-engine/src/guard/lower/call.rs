//! Calls: of the pack's own functions, of builtins, and of methods.

use super::order::{binds, order_of};
use super::{Frame, Lowering, all_constant, constants_of, unknown};
use crate::guard::constant::{Constant, Set, combine, dict_of, set_literal, set_of};
use crate::guard::ir::{Argument, Arguments, Binary, Expr, Kind, Order, Place};
use crate::guard::names::Name;
use crate::guard::operation::{Builtin, Method};
use crate::guard::pattern::Pattern;
use ruff_python_ast::{self as ast};
use ruff_text_size::Ranged;
use serde_json::Value as Json;

impl<'s> Lowering<'s> {
    pub(super) fn call(&mut self, frame: &mut Frame, call: &'s ast::ExprCall) -> Kind {
        match self.reference(frame, &call.func) {
            Some(Name::Function(module, at)) => match self.function(module, at) {
                Ok(function) => match self.arguments(frame, call) {
                    Some(arguments) => Kind::Call { function, arguments },
                    None => unknown("`**` in a call"),
                },
                Err(why) => unknown(why),
            },
            Some(Name::Builtin(name)) => self.builtin(frame, &name, call),
            Some(Name::Outside(path)) => self.builtin(frame, &path, call),
            Some(Name::Unclear(why)) => unknown(format!("a call of something {why}")),
            Some(Name::Value(..)) => unknown("a call of a value of the module"),
            Some(_) => unknown("a call of something that is not followed"),
            None => match &*call.func {
                ast::Expr::Name(_) | ast::Expr::Subscript(_) | ast::Expr::Call(_) => {
                    let callee = self.boxed(frame, &call.func);
                    match self.arguments(frame, call) {
                        Some(arguments) => Kind::CallValue { callee, arguments },
                        None => unknown("`**` in a call"),
                    }
                }
                ast::Expr::Attribute(attribute) => self.method(frame, call, attribute),
                _ => unknown("a call of something that is not followed"),
            },
        }
    }

    pub(super) fn arguments(&mut self, frame: &mut Frame, call: &'s ast::ExprCall) -> Option<Arguments> {
        let mut arguments = Arguments::default();
        for argument in &call.arguments.args {
            let (value, spread) = match argument {
                ast::Expr::Starred(starred) => (self.expr(frame, &starred.value), true),
                other => (self.expr(frame, other), false),
            };
            arguments.positional.push(Argument { value, spread });
        }
        for keyword in &call.arguments.keywords {
            arguments.keywords.push((keyword.arg.as_ref()?.as_str().to_owned(), self.expr(frame, &keyword.value)));
        }
        Some(arguments)
    }

    pub(super) fn builtin(&mut self, frame: &mut Frame, path: &str, call: &'s ast::ExprCall) -> Kind {
        let arguments = &call.arguments;
        if path == "iota_rule.config" {
            return self.configured(frame, call);
        }
        if let (Some(ast::Expr::Generator(of)), 1.., true) =
            (arguments.args.first(), arguments.args.len(), arguments.keywords.is_empty())
        {
            if let ("any" | "all", 1) = (path, arguments.args.len()) {
                let all = path == "all";
                let free = !binds(&arguments.args[0]);
                return self.comprehension(frame, &of.generators, &of.elt, |clauses, element| {
                    let order = if free { order_of(&clauses, &element) } else { Order::Matters };
                    Kind::Quantified { all, clauses, element, order }
                });
            }
            if path == "next" && arguments.args.len() <= 2 {
                let otherwise = arguments.args.get(1).map(|otherwise| self.boxed(frame, otherwise));
                // Python evaluates it after the first iterable, and either may raise.
                if otherwise.as_ref().is_some_and(|otherwise| !matches!(otherwise.kind, Kind::Constant(_) | Kind::Local(_))) {
                    return unknown("`next` with such a default");
                }
                return self.comprehension(frame, &of.generators, &of.elt, |clauses, element| Kind::First {
                    clauses,
                    element,
                    otherwise,
                });
            }
            if let ("set" | "frozenset", 1) = (path, arguments.args.len()) {
                return match (self.constant_comprehension(frame, &of.generators, &of.elt), path) {
                    (Kind::Constant(Constant::Set(set)), "frozenset") => Kind::Constant(Constant::FrozenSet(set)),
                    (kind, _) => kind,
                };
            }
        }
        if path == "isinstance" {
            return self.is_instance(frame, call);
        }
        let ignore_case = path == "re.compile" && arguments.args.len() == 2 && arguments.keywords.is_empty() && {
            let flag = self.reference(frame, &arguments.args[1]);
            matches!(flag, Some(Name::Outside(name)) if name == "re.IGNORECASE" || name == "re.I")
        };
        let builtin = if ignore_case { Some(Builtin::CompileIgnoringCase) } else { Builtin::named(path) };
        let Some(builtin) = builtin else { return unknown(format!("a call of `{path}`")) };
        if builtin != Builtin::Print && !arguments.keywords.is_empty() {
            return unknown(format!("a call of `{path}` with keywords"));
        }
        let given = if ignore_case { &arguments.args[..1] } else { &arguments.args[..] };
        let logs = builtin == Builtin::Print && path != "print";
        if logs && arguments.args.is_empty() {
            return unknown("a log call without a message");
        }
        if !arguments.keywords.iter().all(|keyword| !logs && is_harmless_for_print(keyword)) {
            return unknown(format!("a call of `{path}` with keywords"));
        }
        let mut lowered = Vec::new();
        for argument in given {
            lowered.push(match argument {
                // All of it is taken at once. Others do not look into it, or do not take one.
                ast::Expr::Generator(of) if matches!(builtin, Builtin::List | Builtin::Tuple | Builtin::Sorted) => {
                    let place = Place::new(frame.module, of.range.start());
                    let kind = self
                        .comprehension(frame, &of.generators, &of.elt, |clauses, element| Kind::Collected { clauses, element });
                    Expr { place, kind }
                }
                ast::Expr::Starred(_) => return unknown("`*` in a call"),
                other => self.expr(frame, other),
            });
        }
        if let Some(constants) = all_constant(&lowered) {
            if let Some(constant) = constant_call(builtin, &constants) {
                return Kind::Constant(constant);
            }
        } else if matches!(builtin, Builtin::Set | Builtin::FrozenSet | Builtin::Dict) {
            return unknown(format!("`{path}` of values of the record"));
        }
        Kind::Builtin { builtin, arguments: lowered }
    }

    /// `config("name")`: the value that the pack was read with.
    pub(super) fn configured(&mut self, frame: &mut Frame, call: &'s ast::ExprCall) -> Kind {
        let ([name], []) = (&*call.arguments.args, &*call.arguments.keywords) else {
            return unknown("a call of `config` with such arguments");
        };
        let value = match self.expr(frame, name).kind {
            Kind::Constant(Constant::Text(name)) => str::from_utf8(&name).ok().and_then(|name| self.config.get(name)),
            _ => None,
        };
        match value.and_then(of_config) {
            Some(constant) => Kind::Constant(constant),
            None => unknown("a configured value that is not followed"),
        }
    }

    pub(super) fn is_instance(&mut self, frame: &mut Frame, call: &'s ast::ExprCall) -> Kind {
        let ([value, types], true) = (&*call.arguments.args, call.arguments.keywords.is_empty()) else {
            return unknown("a call of `isinstance` with such arguments");
        };
        let types: Vec<&ast::Expr> = match types {
            ast::Expr::Tuple(tuple) => tuple.elts.iter().collect(),
            one => vec![one],
        };
        let names: Option<Vec<Constant>> = types
            .into_iter()
            .map(|of| match self.reference(frame, of) {
                Some(Name::Builtin(name))
                    if matches!(name.as_str(), "str" | "dict" | "list" | "bool" | "int" | "float" | "tuple" | "set") =>
                {
                    Some(Constant::text(&name))
                }
                Some(Name::Outside(path)) if is_mapping(&path) => Some(Constant::text("Mapping")),
                _ => None,
            })
            .collect();
        let Some(names) = names else { return unknown("a type that is not followed") };
        let place = Place::new(frame.module, call.range().start());
        let types = Expr { place, kind: Kind::Constant(Constant::Tuple(names.into())) };
        Kind::Builtin { builtin: Builtin::IsInstance, arguments: vec![self.expr(frame, value), types] }
    }

    pub(super) fn method(&mut self, frame: &mut Frame, call: &'s ast::ExprCall, attribute: &'s ast::ExprAttribute) -> Kind {
        let name = attribute.attr.as_str();
        if matches!(name, "debug" | "info" | "warning" | "error" | "critical") && self.is_logger(frame, &attribute.value) {
            if call.arguments.args.is_empty() || !call.arguments.keywords.is_empty() {
                return unknown("a log call with such arguments");
            }
            let arguments = self.each(frame, &call.arguments.args);
            return Kind::Builtin { builtin: Builtin::Print, arguments };
        }
        let Some(method) = Method::named(name) else { return unknown(format!("the method `{name}`")) };
        let object = self.boxed(frame, &attribute.value);
        // A generator as the only argument is taken as a whole by the methods that take one.
        if let ([ast::Expr::Generator(of)], [], Method::Join) = (&*call.arguments.args, &*call.arguments.keywords, method) {
            let place = Place::new(frame.module, of.range.start());
            let kind =
                self.comprehension(frame, &of.generators, &of.elt, |clauses, element| Kind::Collected { clauses, element });
            let arguments =
                Arguments { positional: vec![Argument { value: Expr { place, kind }, spread: false }], keywords: Vec::new() };
            return Kind::Method { object, method, arguments };
        }
        let Some(arguments) = self.arguments(frame, call) else { return unknown("`**` in a call") };
        if let (Kind::Constant(of), Some(given)) = (&object.kind, constants_of(&arguments))
            && let Some(constant) = constant_method(of, method, &given)
        {
            return Kind::Constant(constant);
        }
        Kind::Method { object, method, arguments }
    }

    /// Whether a name is bound to `logging.getLogger(...)`.
    pub(super) fn is_logger(&mut self, frame: &Frame, expr: &ast::Expr) -> bool {
        let Some(Name::Value(module, at)) = self.reference(frame, expr) else { return false };
        let Some(ast::Expr::Call(call)) = self.sources.value(module, at) else { return false };
        matches!(self.sources.reference(module, &call.func, &|_| false), Some(Name::Outside(path)) if path == "logging.getLogger")
    }
}

pub(super) fn is_mapping(path: &str) -> bool {
    matches!(path, "collections.abc.Mapping" | "typing.Mapping")
}

/// Set methods on constants that give constants.
pub(super) fn constant_method(of: &Constant, method: Method, arguments: &[Constant]) -> Option<Constant> {
    let operator = match method {
        Method::Union => Binary::Union,
        Method::Intersection => Binary::Intersection,
        _ => return None,
    };
    let [other] = arguments else { return None };
    let other = match other {
        Constant::List(items) | Constant::Tuple(items) => set_literal(items.to_vec())?,
        other => other.clone(),
    };
    combine(of, operator, &other)
}

/// Values of `config:` as rules get them.
pub(in crate::guard) fn of_config(value: &Json) -> Option<Constant> {
    Some(match value {
        Json::Null => Constant::None,
        Json::Bool(value) => Constant::Bool(*value),
        Json::String(text) => Constant::text(text),
        Json::Number(number) => match number.as_i64() {
            Some(value) if value.unsigned_abs() <= crate::guard::constant::MAX_INT.unsigned_abs() => Constant::Int(value),
            // Not an integer beyond 64 bits, which reads as a double, too.
            None if number.is_f64() => Constant::Float(number.as_f64()?),
            _ => return None,
        },
        Json::Array(items) => Constant::List(items.iter().map(of_config).collect::<Option<_>>()?),
        Json::Object(members) => {
            let entries: Option<Vec<_>> =
                members.iter().map(|(name, value)| Some((Constant::text(name), of_config(value)?))).collect();
            // Its `get` gives the default for a null, which that of a dict does not.
            dict_of(
                entries?.into_iter().map(|entry| (!matches!(entry.1, Constant::None)).then_some(entry)).collect::<Option<_>>()?,
            )?
        }
    })
}

/// Keywords of `print` that neither raise nor write elsewhere.
pub(super) fn is_harmless_for_print(keyword: &ast::Keyword) -> bool {
    match keyword.arg.as_ref().map(ast::Identifier::as_str) {
        Some("sep" | "end") => keyword.value.is_string_literal_expr() || keyword.value.is_none_literal_expr(),
        Some("flush") => keyword.value.is_boolean_literal_expr(),
        _ => false,
    }
}

/// What a builtin makes of constants alone: containers and patterns that rules share.
fn constant_call(builtin: Builtin, arguments: &[Constant]) -> Option<Constant> {
    let items = |constant: &Constant| match constant {
        Constant::List(items) | Constant::Tuple(items) => Some(items.to_vec()),
        Constant::Set(set) | Constant::FrozenSet(set) => Some(set.items()),
        Constant::Dict(dict) => Some(dict.entries.iter().map(|(key, _)| key.clone()).collect()),
        _ => None,
    };
    match (builtin, arguments) {
        (Builtin::Set, []) => Some(Constant::Set(Set::default())),
        (Builtin::FrozenSet, []) => Some(Constant::FrozenSet(Set::default())),
        (Builtin::Dict, []) => Some(Constant::Dict(Box::default())),
        (Builtin::Set, [of]) => set_of(items(of)?).map(Constant::Set),
        (Builtin::FrozenSet, [of]) => set_of(items(of)?).map(Constant::FrozenSet),
        (Builtin::Dict, [Constant::Dict(dict)]) => Some(Constant::Dict(dict.clone())),
        (Builtin::Compile | Builtin::CompileIgnoringCase, [Constant::Text(source)]) => {
            let source = str::from_utf8(source).ok()?;
            Some(Constant::Pattern(Box::new(Pattern::new(source, builtin == Builtin::CompileIgnoringCase)?)))
        }
        _ => None,
    }
}
