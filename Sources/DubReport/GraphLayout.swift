internal import DubRunner

/// Where the stages of a pipeline stand in a drawing: layers from left to right, in rows as lines of text are.
///
/// After Sugiyama, Tagawa and Toda (1981): a stage stands one layer after the last that it reads, arrows over several
/// layers get a place in each, and the order within a layer follows the middle of the neighbours.
struct GraphLayout {
    /// What has a place in a layer: a stage, something given from outside, or an arrow that passes by.
    enum Place: Hashable {
        case stage(String)
        case passing(from: String, to: String)
    }

    /// By layer: its places from top to bottom.
    private(set) var layers: [[Place]] = []
    /// Arrows that do not follow from others, each as its places from left to right.
    private(set) var arrows: [[Place]] = []
    /// By name: in which layer a stage stands.
    private(set) var layer: [String: Int] = [:]

    init(_ stages: [StageRecord]) {
        var reads = Dictionary(stages.map { ($0.name, Set($0.reads)) }, uniquingKeysWith: { $0.union($1) })
        var names = stages.map(\.name)
        let known = Set(names)
        for given in Set(stages.flatMap(\.reads)).subtracting(known).sorted() {
            names.insert(given, at: 0)
            reads[given] = []
        }
        for name in names { place(name, reads, path: []) }
        // What is given stands just before the first that reads it.
        for given in names where !known.contains(given) {
            let first = names.compactMap { reads[$0]?.contains(given) == true ? layer[$0] : nil }.min() ?? 1
            layer[given] = max(0, first - 1)
        }
        layers = [[Place]](repeating: [], count: (layer.values.max() ?? -1) + 1)
        for name in names { layers[layer[name] ?? 0].append(.stage(name)) }
        for name in names {
            for read in (reads[name] ?? []).sorted() where !follows(read, name, reads) { connect(read, name) }
        }
        order()
    }

    @discardableResult
    private mutating func place(_ name: String, _ reads: [String: Set<String>], path: Set<String>) -> Int {
        if let known = layer[name] { return known }
        // A circle cannot come from a checked pipeline; a record that was tampered with must not hang the page.
        let sources = (reads[name] ?? []).subtracting(path).subtracting([name])
        let found = (sources.map { place($0, reads, path: path.union([name])) }.max() ?? -1) + 1
        layer[name] = found
        return found
    }

    /// Whether `name` reads something that itself, directly or not, reads `read`: then the arrow tells nothing new.
    private func follows(_ read: String, _ name: String, _ reads: [String: Set<String>]) -> Bool {
        var seen: Set<String> = []
        var open = Array((reads[name] ?? []).subtracting([read]))
        while let next = open.popLast() {
            guard seen.insert(next).inserted else { continue }
            let further = reads[next] ?? []
            if further.contains(read) { return true }
            open += further
        }
        return false
    }

    private mutating func connect(_ from: String, _ to: String) {
        guard let first = layer[from], let last = layer[to], first < last else { return }
        var places = [Place.stage(from)]
        for between in (first + 1)..<max(first + 1, last) {
            layers[between].append(.passing(from: from, to: to))
            places.append(.passing(from: from, to: to))
        }
        arrows.append(places + [.stage(to)])
    }

    private mutating func order() {
        var neighbours: [Int: [Place: [Place]]] = [:]
        for arrow in arrows {
            guard case .stage(let from) = arrow[0], let first = layer[from] else { continue }
            for (offset, pair) in zip(arrow, arrow.dropFirst()).enumerated() {
                neighbours[first + offset, default: [:]][pair.0, default: []].append(pair.1)
                neighbours[first + offset + 1, default: [:]][pair.1, default: []].append(pair.0)
            }
        }
        for sweep in 0..<4 {
            let indexes = sweep.isMultiple(of: 2) ? Array(layers.indices) : layers.indices.reversed()
            for index in indexes {
                let other = sweep.isMultiple(of: 2) ? index - 1 : index + 1
                guard layers.indices.contains(other) else { continue }
                let heights = Dictionary(
                    layers[other].enumerated().map { ($1, Double($0) - Double(layers[other].count - 1) / 2) },
                    uniquingKeysWith: { $1 })
                let middle = Double(layers[index].count - 1) / 2
                let weights = layers[index].enumerated().map { position, place -> (Double, Int, Place) in
                    let found = (neighbours[index]?[place] ?? []).compactMap { heights[$0] }
                    let weight = found.isEmpty ? Double(position) - middle : found.reduce(0, +) / Double(found.count)
                    return (weight, position, place)
                }
                layers[index] = weights.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
            }
        }
    }
}
