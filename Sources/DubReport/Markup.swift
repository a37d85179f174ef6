/// Text of HTML or SVG. What is interpolated into it is escaped, unless it is markup itself, so that no name can
/// become an element.
struct Markup: ExpressibleByStringInterpolation {
    /// The text, as it goes into the page.
    private(set) var text: String

    init(stringLiteral literal: String) { text = literal }

    init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

    private init(verbatim: String) { text = verbatim }

    struct Interpolation: StringInterpolationProtocol {
        var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity * 2) }

        mutating func appendLiteral(_ literal: String) { text += literal }
        mutating func appendInterpolation(_ markup: Markup) { text += markup.text }
        mutating func appendInterpolation(_ parts: [Markup]) { for part in parts { text += part.text } }
        mutating func appendInterpolation(_ name: String) { text += Markup.escaped(name) }
        mutating func appendInterpolation(_ number: Int) { text += String(number) }
        /// A length in a drawing, to a tenth.
        mutating func appendInterpolation(_ length: Double) { text += Figure.decimal(length, 1) }
    }

    static func += (left: inout Markup, right: Markup) { left.text += right.text }

    /// Pieces side by side.
    static func joined(_ parts: some Sequence<Markup>, with separator: String = "") -> Markup {
        Markup(verbatim: parts.map(\.text).joined(separator: separator))
    }

    /// What means something in HTML is escaped; what could steer or turn around text is shown as its number.
    static func escaped(_ name: String) -> String {
        var text = ""
        text.reserveCapacity(name.utf8.count)
        for scalar in name.unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            case "\n", "\t": text.unicodeScalars.append(scalar)
            default:
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator:
                    text += "\\u{" + String(scalar.value, radix: 16) + "}"
                default: text.unicodeScalars.append(scalar)
                }
            }
        }
        return text
    }
}
