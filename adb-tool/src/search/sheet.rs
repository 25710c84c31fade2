//! A page of pictures that were found: one file without anything beside it, for a browser.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use htmlize::{escape_attribute, escape_text};

use super::{
    shown::{Shown, number, picture, word},
    thumbnails::small_jpeg,
};

const SIDE: u32 = 320;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:15px/1.4 system-ui,sans-serif;margin:2rem}\
h1{font-size:1.2rem;font-weight:600}\
ol{list-style:none;padding:0;display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(220px,1fr))}\
li{border:1px solid #8884;border-radius:8px;overflow:hidden}\
img,.none{width:100%;height:220px;object-fit:cover;display:block;background:#8882}\
div{padding:.6rem .8rem}\
dl{display:grid;grid-template-columns:auto 1fr;gap:.1rem .6rem;margin:.4rem 0 0;font-size:.85rem}\
dt{opacity:.65}dd{margin:0;overflow-wrap:anywhere}";

pub(super) fn page(title: &str, shown: &Shown<'_>) -> String {
    let title = escape_text(title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>\n<ol>\n"
    );
    for (rank, hit) in (1..).zip(shown.hits) {
        page.push_str("<li>");
        let name = shown.properties(hit).next().map(|(_, text)| text).unwrap_or_default();
        match picture(hit).and_then(|bytes| small_jpeg(bytes, SIDE)) {
            Some(jpeg) => page.push_str(&format!(
                "<img alt=\"{}\" src=\"data:image/jpeg;base64,{}\">",
                escape_attribute(&name),
                STANDARD.encode(jpeg)
            )),
            None => page.push_str("<span class=\"none\"></span>"),
        }
        page.push_str(&format!(
            "<div><b>{rank}.</b> {} <small>{} {}</small><dl>",
            escape_text(&hit.class),
            word(hit.metric),
            number(hit.distance)
        ));
        for (name, value) in shown.properties(hit) {
            page.push_str(&format!(
                "<dt>{}</dt><dd>{}</dd>",
                escape_text(name),
                escape_text(&value)
            ));
        }
        page.push_str("</dl></div></li>\n");
    }
    page.push_str("</ol>\n</html>\n");
    page
}
