//! The names under which a pack gives objects of its own what other code asks of them: methods, operators, attributes.

use crate::guard::scope::Scope;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, ExprContext, Stmt};
use std::collections::BTreeSet;

/// Methods with two underscores that are handed no operand, or only one that counts as kept already.
const HARMLESS_OPERATORS: [&str; 30] = [
    "__annotations__",
    "__bool__",
    "__bytes__",
    "__call__",
    "__class_getitem__",
    "__doc__",
    "__enter__",
    "__exit__",
    "__float__",
    "__format__",
    "__getattr__",
    "__getattribute__",
    "__getitem__",
    "__hash__",
    "__index__",
    "__init__",
    "__init_subclass__",
    "__int__",
    "__iter__",
    "__len__",
    "__match_args__",
    "__module__",
    "__new__",
    "__next__",
    "__post_init__",
    "__repr__",
    "__reversed__",
    "__set_name__",
    "__slots__",
    "__str__",
];
/// Calls that make classes whose attributes their arguments name.
const MAKERS: [&str; 3] = ["namedtuple", "make_dataclass", "new_class"];

#[derive(Debug, Default)]
pub(super) struct Attributes {
    names: BTreeSet<String>,
}

impl Attributes {
    pub(super) fn of<'a>(modules: impl Iterator<Item = &'a [Stmt]>) -> Self {
        let mut attributes = Self::default();
        modules.for_each(|body| attributes.visit_body(body));
        attributes
    }

    /// The method by which a class of the pack decides what an operator does with its other operand, if one does.
    pub(super) fn operator(&self) -> Option<&String> {
        let mut dunders = self.names.iter().filter(|name| name.starts_with("__") && name.ends_with("__"));
        dunders.find(|name| HARMLESS_OPERATORS.binary_search(&name.as_str()).is_err())
    }

    /// Whether an object of the pack may have a method of this name.
    pub(super) fn may_be(&self, method: &str) -> bool {
        ["__getattr__", "__getattribute__", method].iter().any(|name| self.names.contains(*name))
    }

    fn add(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    fn call(&mut self, call: &ExprCall) {
        for keyword in &call.arguments.keywords {
            if let Some(name) = keyword.arg.as_ref().filter(|_| may_be_function(&keyword.value)) {
                self.add(name);
            }
        }
        let name = match &*call.func {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => return,
        };
        if MAKERS.contains(&name) {
            struct Texts<'n>(&'n mut Attributes);
            impl<'a> Visitor<'a> for Texts<'_> {
                fn visit_expr(&mut self, expr: &'a Expr) {
                    if let Expr::StringLiteral(literal) = expr {
                        literal.value.to_str().split([' ', ',']).for_each(|name| self.0.add(name));
                    }
                    walk_expr(self, expr);
                }
            }
            call.arguments.args.iter().for_each(|argument| Texts(self).visit_expr(argument));
        }
    }
}

impl<'a> Visitor<'a> for Attributes {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::ClassDef(class) = statement {
            self.names.append(&mut Scope::of(&class.body).bound);
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Attribute(attribute) if attribute.ctx == ExprContext::Store => self.add(&attribute.attr),
            Expr::Subscript(subscript) if subscript.ctx == ExprContext::Store => {
                if let Expr::StringLiteral(literal) = &*subscript.slice {
                    self.add(literal.value.to_str());
                }
            }
            Expr::Dict(dict) => {
                for item in &dict.items {
                    if let (Some(Expr::StringLiteral(literal)), true) = (&item.key, may_be_function(&item.value)) {
                        self.add(literal.value.to_str());
                    }
                }
            }
            Expr::Call(call) => self.call(call),
            _ => {}
        }
        walk_expr(self, expr);
    }
}

fn may_be_function(value: &Expr) -> bool {
    matches!(value, Expr::Name(_) | Expr::Attribute(_) | Expr::Lambda(_) | Expr::Call(_) | Expr::Subscript(_) | Expr::If(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(source: &str) -> Attributes {
        let module = ruff_python_parser::parse_module(source).expect("Python").into_suite();
        Attributes::of(std::iter::once(module.as_slice()))
    }

    #[test]
    fn names_of_what_objects_have() {
        assert!(HARMLESS_OPERATORS.is_sorted());
        for source in [
            "class C:\n    union = f",
            "class C:\n    if x:\n        def union(self): pass",
            "class C:\n    try:\n        from m import union\n    except E: pass",
            "class C:\n    def f(self):\n        self.union = f",
            "SimpleNamespace(union=f)",
            "type('C', (), {'union': lambda x: x})",
            "names['union'] = f",
            "namedtuple('C', 'other, union')",
            "make_dataclass('C', ['other', ('union', int)])",
            "class C:\n    def __getattr__(self, name): pass",
        ] {
            assert!(attributes(source).may_be("union"), "{source}");
        }
        let none = attributes(
            "def union(x): pass\nunion = {'union': 'a'}\nclass C:\n    def f(self, union):\n        union = 1\nf(union='a')",
        );
        assert!(!none.may_be("union"));
        assert!(attributes("class C:\n    __eq__ = f").operator().is_some());
        assert!(attributes("class C:\n    def __rmatmul__(self, x): pass").operator().is_some());
        assert!(attributes("class C:\n    def __init__(self): pass\n    def __len__(self): return 1").operator().is_none());
    }
}
