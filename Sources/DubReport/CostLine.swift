/// What a stage costs by the length of what it works on: so much for each item, as models have to be loaded, and so much
/// for each second.
///
/// A line through past items after Theil and Sen: the median of the slopes between any two, then the median of what is
/// left. Neither part is less than 0. Where all are of about the same length, they tell nothing of what an item costs
/// whatever its length, and all is counted by the second.
struct CostLine {
    typealias Point = (length: Double, seconds: Double)

    private let fixed: Double
    private let slope: Double

    /// - Returns: `nil` without points of some length.
    init?(_ points: [Point]) {
        let points = points.filter { $0.length > 0 }
        guard let longest = points.map(\.length).max(), let ratio = points.map({ $0.seconds / $0.length }).median else {
            return nil
        }
        var slopes: [Double] = []
        for (index, one) in points.enumerated() {
            for other in points[..<index] where abs(one.length - other.length) > longest / 10 {
                slopes.append((one.seconds - other.seconds) / (one.length - other.length))
            }
        }
        let steepness = max(0, slopes.median ?? ratio)
        let rest = slopes.isEmpty ? 0 : points.map { $0.seconds - steepness * $0.length }.median ?? 0
        if rest >= 0 {
            (fixed, slope) = (rest, steepness)
        } else {
            (fixed, slope) = (0, ratio)
        }
    }

    func seconds(for length: Double) -> Double { fixed + slope * length }
}
