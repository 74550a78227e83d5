use super::*;

const ASKED: Size = Size { width: 40, height: 30 };

/// A picture whose pixels are chosen by their column and row.
fn png(size: Size, colour: png::ColorType, pixel: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.width, size.height);
    encoder.set_color(colour);
    let places = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
    let data: Vec<u8> = places.flat_map(|(x, y)| vec![pixel(x, y); colour.samples()]).collect();
    encoder.write_header().expect("a header").write_image_data(&data).expect("pixels");
    bytes
}

fn rendered(pixel: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    png(ASKED, png::ColorType::Rgba, pixel)
}

#[test]
fn a_picture_of_the_size_that_was_asked_for_is_kept_whatever_its_colours() {
    use png::ColorType::{Grayscale, GrayscaleAlpha, Rgb, Rgba};
    for colour in [Grayscale, GrayscaleAlpha, Rgb, Rgba] {
        let bytes = png(ASKED, colour, |x, y| (x + y) as u8);
        assert_eq!(recognise(Some("image/png"), &bytes, ASKED), Ok(()), "{colour:?}");
        assert_eq!(recognise(None, &bytes, ASKED), Ok(()));
    }
}

#[test]
fn the_pictures_that_grafana_has_ready_have_another_size() {
    for (width, height) in [(41, 30), (40, 29), (1_000, 500)] {
        let found = Size { width, height };
        let bytes = png(found, png::ColorType::Rgb, |x, _| x as u8);
        let result = recognise(Some("image/png"), &bytes, ASKED);
        assert_eq!(result, Err(Placeholder::OtherSize { found, asked: ASKED }));
        assert!(result.is_err_and(|error| error.to_string().contains("grafana-image-renderer")));
    }
}

#[test]
fn what_is_no_picture_is_named() {
    let page = "\n<!DOCTYPE html><html>Welcome to Grafana</html>".as_bytes();
    for (content_type, bytes, expected) in [
        (Some("text/html; charset=UTF-8"), &b"Welcome"[..], Placeholder::WebPage),
        (Some("image/png"), page, Placeholder::WebPage),
        (Some("application/json"), b"{}", Placeholder::NoPng("application/json".to_owned())),
        (None, b"", Placeholder::NoPng("something without a type".to_owned())),
        (
            Some("image/png"),
            b"\x89PNG\r\n\x1a\n",
            Placeholder::NoPng("something else that calls itself image/png".to_owned()),
        ),
    ] {
        assert_eq!(recognise(content_type, bytes, ASKED), Err(expected), "{content_type:?}");
    }
    let long = recognise(Some(&format!("a/\u{1b}{}", "b".repeat(1_000))), b"", ASKED);
    assert!(long.is_err_and(|error| error.to_string().len() < 200));
}

#[test]
fn a_picture_that_ends_early_or_is_all_of_one_colour_is_not_kept() {
    let whole = rendered(|x, y| (x * y) as u8);
    for end in [whole.len() / 2, whole.len() - 20] {
        let result = recognise(Some("image/png"), &whole[..end], ASKED);
        assert!(matches!(result, Err(Placeholder::Broken(_))), "{end}: {result:?}");
    }
    assert_eq!(recognise(Some("image/png"), &rendered(|_, _| 255), ASKED), Err(Placeholder::Blank));
}

#[test]
fn the_same_page_is_the_same_but_for_one_pixel_of_a_hundred() {
    let page = |differing: u32| rendered(move |x, y| u8::from(y * ASKED.width + x < differing));
    let pixels = ASKED.width * ASKED.height;
    assert!(shows_the_same(&page(0), &page(0)));
    assert!(shows_the_same(&page(0), &page(pixels / 100)));
    assert!(!shows_the_same(&page(0), &page(pixels / 100 + 1)));
    let other_size = png(Size { width: 30, height: 40 }, png::ColorType::Rgba, |_, _| 0);
    let other_colours = png(ASKED, png::ColorType::Grayscale, |_, _| 0);
    for other in [&other_size[..], &other_colours, b"no picture"] {
        assert!(!shows_the_same(&page(0), other));
    }
}

#[test]
fn no_bytes_at_all_make_it_panic() {
    let whole = rendered(|x, y| (x ^ y) as u8);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        let _any = recognise(Some("image/png"), &damaged, ASKED);
        let _either = shows_the_same(&damaged, &whole[..at]);
    }
}
