//! What the pictures of all measurements are drawn with.
#![allow(dead_code, reason = "each program draws what it has")]

/// A whole picture of this height.
pub(crate) fn picture(height: f64, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

/// A line of text.
pub(crate) fn element(
    svg: &mut String,
    x: f64,
    y: f64,
    anchor: &str,
    colour: &str,
    weight: &str,
    text: &str,
) {
    svg.push_str(&format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\" \
         font-weight=\"{weight}\">{}</text>\n",
        escaped(text)
    ));
}

/// Text as XML has it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The width of every picture.
pub(crate) const WIDTH: f64 = 820.0;
