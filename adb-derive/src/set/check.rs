//! The rules of a descriptor set.

use super::written::Written;
use crate::ctxt::Ctxt;

pub(crate) fn all(cx: &Ctxt, written: &Written) {
    if !written.unread {
        has_name(cx, written);
        has_embedder(cx, written);
    }
}

fn has_name(cx: &Ctxt, written: &Written) {
    if written.set.name.is_none() {
        let help = "`#[adb(name = \"photos\", embedder = ClipVitB16)]`";
        cx.error_help(&written.ident, "a descriptor set needs a `name` in the database", help);
    }
}

fn has_embedder(cx: &Ctxt, written: &Written) {
    if written.set.embedder.is_none() {
        let help = "it says how many components the vectors have, and what they can be made \
                    from: `#[adb(name = \"photos\", embedder = ClipVitB16)]`";
        cx.error_help(&written.ident, "a descriptor set needs an `embedder`", help);
    }
}
