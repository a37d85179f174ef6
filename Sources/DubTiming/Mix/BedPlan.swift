/// Which stretches of the source's sound are kept, and from which the source's voice is taken out.
public struct BedPlan: Hashable, Sendable, Codable {
    /// A stretch of the item.
    public struct Region: Hashable, Sendable, Codable {
        /// What becomes of the source's sound there.
        public enum Kind: String, Sendable, Codable {
            /// It is heard as it is.
            case keep
            /// It is replaced: by a bed without the voice, or by room tone.
            case replace
        }

        /// Where it lies, in seconds on the item's timeline.
        public var span: Span
        /// What becomes of it.
        public var kind: Kind

        /// Makes a region.
        public init(span: Span, kind: Kind) {
            self.span = span
            self.kind = kind
        }
    }

    /// How regions are drawn.
    public struct Rules: Hashable, Sendable, Codable {
        /// How much before and after speech is replaced too, in seconds; ≥ `fade`, so that no fade touches speech.
        public var guardBand = 0.04
        /// Kept stretches shorter than this between two replaced ones are replaced too, in seconds.
        public var minKeep = 0.25
        /// The same for stretches all under the dub's speech, where nobody would hear them for themselves, in seconds.
        public var minKeepUnderDub = 1.0
        /// How long a change from one to the other takes, in seconds.
        public var fade = 0.03

        /// The defaults.
        public init() {}

        /// Where the source is not replaced under the dub but turned down: slowly, begun 0.25 s before a line, done
        /// 0.05 s before it, and back as slowly behind it; not at all up between lines less than 0.75 s apart.
        public static var ducking: Rules {
            var rules = Rules()
            rules.guardBand = 0.25
            rules.fade = 0.2
            return rules
        }
    }

    /// From 0 to `duration` without gaps, keep and replace in turn; empty for an item without length.
    public var regions: [Region]
    /// How long the item is, in seconds.
    public var duration: Double
    /// How long a change takes, in seconds; it lies inside the replaced region, at its edge.
    public var fade: Double

    /// Draws the regions of an item.
    ///
    /// - Parameters:
    ///   - sourceSpeech: where the source speaks in lines that are voiced, in seconds; in any order.
    ///   - dub: where the dub speaks, in seconds; in any order.
    ///   - duration: of the item, in seconds.
    public static func make(
        sourceSpeech: [Span], dub: [Span] = [], duration: Double, rules: Rules = .init()
    ) -> BedPlan {
        let length = duration.isFinite ? max(0, duration) : 0
        let item = Span(start: 0, end: length)
        let edge = max(rules.guardBand, rules.fade)
        let speech = sourceSpeech.filter { $0.isSound && $0.length > 0 }
        let replaced =
            speech.map { Span(start: $0.start - edge, end: $0.end + edge) }.merged(closing: rules.minKeep)
            .compactMap { $0.clipped(to: item) }
        var bridged: [Span] = []
        let spoken = dub.merged()
        var at = 0
        for span in replaced {
            guard let last = bridged.last else {
                bridged.append(span)
                continue
            }
            let gap = Span(start: last.end, end: span.start)
            while at < spoken.count, spoken[at].end < gap.end { at += 1 }
            let under = at < spoken.count && spoken[at].start <= gap.start
            if under, gap.length < rules.minKeepUnderDub {
                bridged[bridged.count - 1].end = span.end
            } else {
                bridged.append(span)
            }
        }
        var regions: [Region] = []
        var from = 0.0
        for span in bridged {
            // Too short a start to be heard for itself.
            let start = span.start < rules.minKeep ? 0 : span.start
            if start > from { regions.append(Region(span: Span(start: from, end: start), kind: .keep)) }
            regions.append(Region(span: Span(start: max(from, start), end: span.end), kind: .replace))
            from = span.end
        }
        if from < length {
            if let last = regions.last, length - from < rules.minKeep {
                regions[regions.count - 1].span.end = max(length, last.span.end)
            } else {
                regions.append(Region(span: Span(start: from, end: length), kind: .keep))
            }
        }
        return BedPlan(regions: regions, duration: length, fade: rules.fade)
    }

    /// The replaced stretches, in order, in seconds.
    public var replaced: [Span] { regions.filter { $0.kind == .replace }.map(\.span) }

    /// The gain of the source's sound, sample by sample.
    public func gain(sampleRate: Int, curve: BedGain.Curve = .equalPower) -> BedGain {
        BedGain(plan: self, sampleRate: sampleRate, curve: curve)
    }
}
