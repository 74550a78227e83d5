//! Whether an answer is a rendered picture, or one of the things that Grafana answers in its place.

use std::fmt;
use std::io::Cursor;

use crate::text::{kept_within, shown};

/// The longest content type that is repeated in a message.
const MAX_TYPE_CHARS: usize = 60;

/// Two pictures of the same page differ by a blinking cursor or a random greeting, and two of different
/// pages by far more: one pixel of so many.
const SAME_PAGE_ONE_IN: u64 = 100;

/// Of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.width, self.height)
    }
}

/// What came in place of a rendered picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Placeholder {
    /// Grafana doesn't know who asks.
    #[error("it is a web page, as the login page is: check the token")]
    WebPage,
    /// Something between us and Grafana, or another program.
    #[error("it is no PNG, but {0}: is the address right?")]
    NoPng(String),
    /// Without a renderer, and at its limit of renderings, Grafana answers 200 with a picture that it has
    /// ready (`public/img/rendering_plugin_not_installed.png`, `rendering_limit_dark.png`).
    #[error(
        "it has {found} pixels where {asked} were asked for, as the picture has that Grafana shows without an \
         image renderer, or when that is busy: install grafana-image-renderer, or raise \
         rendering.concurrent_render_request_limit"
    )]
    OtherSize { found: Size, asked: Size },
    /// The renderer was killed while it wrote, or a proxy cut it off.
    #[error("it can't be read to its end: {0}")]
    Broken(String),
    /// The browser had painted nothing yet.
    #[error("it is blank: the renderer may have too little memory or time")]
    Blank,
    /// The renderer isn't logged in at the address that it calls back, or there is no such dashboard.
    #[error(
        "the renderer shows the same page for a dashboard that there is not: check grafana.render_dashboard, \
         and Grafana's rendering.callback_url"
    )]
    AnyPage,
}

/// Looks at an answer to a request for a picture of this size.
///
/// # Errors
/// What it is instead; see [`Placeholder`].
pub(super) fn recognise(content_type: Option<&str>, bytes: &[u8], asked: Size) -> Result<(), Placeholder> {
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    let begins_as_page = bytes.trim_ascii_start().first() == Some(&b'<');
    if content_type.starts_with("text/html") || begins_as_page {
        return Err(Placeholder::WebPage);
    }
    let Ok(mut picture) = Picture::open(bytes) else {
        let what = match content_type.as_str() {
            "" => "something without a type".to_owned(),
            "image/png" => "something else that calls itself image/png".to_owned(),
            other => shown(&kept_within(other, MAX_TYPE_CHARS)),
        };
        return Err(Placeholder::NoPng(what));
    };
    let found = picture.size();
    if found != asked {
        return Err(Placeholder::OtherSize { found, asked });
    }
    let (mut first, mut is_blank) = (None, true);
    while let Some(row) = picture.next_row()? {
        for pixel in row.chunks_exact(row.len() / asked.width.max(1) as usize) {
            is_blank &= first.get_or_insert_with(|| pixel.to_vec()) == pixel;
        }
    }
    if is_blank { Err(Placeholder::Blank) } else { Ok(()) }
}

/// Whether two pictures are of the same page, but for some details. What is no picture is not the same.
#[must_use]
pub(super) fn shows_the_same(one: &[u8], other: &[u8]) -> bool {
    let (Ok(mut one), Ok(mut other)) = (Picture::open(one), Picture::open(other)) else { return false };
    let size = one.size();
    if other.size() != size {
        return false;
    }
    let pixels = u64::from(size.width) * u64::from(size.height);
    let mut differing: u64 = 0;
    // Row by row: a picture of this size takes 8 MB.
    while let (Ok(Some(a)), Ok(Some(b))) = (one.next_row(), other.next_row()) {
        if a.len() != b.len() {
            return false;
        }
        let pixel = a.len() / size.width.max(1) as usize;
        let pairs = a.chunks_exact(pixel.max(1)).zip(b.chunks_exact(pixel.max(1)));
        differing += pairs.filter(|(a, b)| a != b).count() as u64;
    }
    differing <= pixels / SAME_PAGE_ONE_IN
}

/// A PNG that is read row by row, each pixel in whole bytes.
struct Picture<'a> {
    reader: png::Reader<Cursor<&'a [u8]>>,
}

impl<'a> Picture<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, png::DecodingError> {
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        Ok(Self { reader: decoder.read_info()? })
    }

    fn size(&self) -> Size {
        let info = self.reader.info();
        Size { width: info.width, height: info.height }
    }

    fn next_row(&mut self) -> Result<Option<&[u8]>, Placeholder> {
        let row = self.reader.next_row().map_err(|error| Placeholder::Broken(error.to_string()))?;
        Ok(row.map(|row| row.data()).filter(|row| !row.is_empty()))
    }
}

#[cfg(test)]
mod tests;
